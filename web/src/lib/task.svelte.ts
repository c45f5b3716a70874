/** Something that may fail and be done again: whether it is being done, and what went wrong the last time. */
import { inWords } from './call';

export class Task {
  busy = $state(false);
  problem = $state('');

  /** Do it. Whether it went well. */
  async run(what: () => Promise<unknown>): Promise<boolean> {
    this.busy = true;
    this.problem = '';
    try {
      await what();
    } catch (error) {
      this.problem = inWords(error);
    }
    this.busy = false;
    return this.problem === '';
  }
}
