/** Whether two models wait to be compared by this person: looked at now and then, and whenever that may have changed. */
import { call } from './call';
import { here } from './session.svelte';

const OFTEN = 30_000;

class Waiting {
  duel = $state(false);

  async look(): Promise<void> {
    if (!here.may('rate')) return;
    try {
      ({ duel: this.duel } = await call<{ duel: boolean }>('GET', '/api/v1/asks/pending'));
    } catch {
      // Without network nothing is asked.
    }
  }

  /** Begin to look; returns what ends it, as an effect wants it. */
  watch(): () => void {
    void this.look();
    const timer = setInterval(() => document.visibilityState === 'visible' && void this.look(), OFTEN);
    return () => clearInterval(timer);
  }
}

export const waiting = new Waiting();
