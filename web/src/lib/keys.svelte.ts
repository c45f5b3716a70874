/** The keys of the view that is shown: one map, listed under `?`. Keys typed into a text field are left alone. */
import { untrack } from 'svelte';

/** A key and what it does. `keys`: those that are meant, where `shown` alone does not name them. */
export interface Shortcut {
  keys?: string[];
  shown: string;
  does: string;
  act: (event: KeyboardEvent) => void;
}

/** How the keys are drawn that have no letter. */
export const DRAWN: Record<string, string> = { ArrowLeft: '←', ArrowRight: '→', ArrowUp: '↑', ArrowDown: '↓', Enter: '⏎' };

/** Whether a key is meant by a shortcut; a letter is, whether it is a capital or not. */
function meant({ keys, shown }: Shortcut, key: string): boolean {
  return keys?.includes(key) ?? (DRAWN[key] ?? key).toLowerCase() === shown.toLowerCase();
}

function typing(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return !['checkbox', 'radio', 'range', 'button', 'submit'].includes(target.type);
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement || target.isContentEditable;
}

/** Enter and space do what the focused control is for. */
function activates(event: KeyboardEvent): boolean {
  if (event.key !== 'Enter' && event.key !== ' ') return false;
  return event.target instanceof Element && event.target.closest('button, a, summary') !== null;
}

class Keys {
  layers = $state.raw<Shortcut[][]>([]);

  /** Add the shortcuts of a part; returns what takes them away again, as an effect wants it. */
  use(shortcuts: Shortcut[]): () => void {
    // An effect that adds its keys must not run again because the list of keys changed.
    this.layers = [...untrack(() => this.layers), shortcuts];
    return () => {
      this.layers = this.layers.filter((layer) => layer !== shortcuts);
    };
  }

  press(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || activates(event)) return;
    if (document.querySelector('dialog[open]')) return;
    for (const layer of [...this.layers].reverse()) {
      const found = layer.find((shortcut) => meant(shortcut, event.key));
      if (!found) continue;
      event.preventDefault();
      found.act(event);
      return;
    }
  }
}

export const keys = new Keys();
