/** Dark, light, or as the system says: kept on this device. */
export type Theme = 'system' | 'light' | 'dark';

function stored(name: string): string | null {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

class Look {
  theme = $state.raw<Theme>((stored('redraft-theme') as Theme | null) ?? 'system');
  /** Whether small pictures are shown with their pixels as they are, or smoothed by the browser. */
  crisp = $state.raw(stored('redraft-crisp') !== 'no');

  apply(): void {
    const root = document.documentElement;
    if (this.theme === 'system') delete root.dataset['theme'];
    else root.dataset['theme'] = this.theme;
    root.dataset['pixels'] = this.crisp ? 'crisp' : 'smooth';
    try {
      localStorage.setItem('redraft-theme', this.theme);
      localStorage.setItem('redraft-crisp', this.crisp ? 'yes' : 'no');
    } catch {
      // Without storage the choice lasts as long as the tab.
    }
  }

  next(): void {
    this.theme = this.theme === 'system' ? 'light' : this.theme === 'light' ? 'dark' : 'system';
    this.apply();
  }
}

export const look = new Look();
