/** Giving, changing and taking back answers: first into the outbox, then to the server, exactly once. */
import { call, Refused, Unreachable } from './call';
import type { Kind, Outcome, Payload, SentAnswer } from './contract';
import { drop, put, waiting, type Waiting } from './outbox';
import { here } from './session.svelte';
import { toasts } from './toasts.svelte';
import { uuid7 } from './uuid7';

const MOST = 100;
const SHORTEST_WAIT = 2_000;
const LONGEST_WAIT = 60_000;
/** Refusals of the ask, not of the answer: about an own picture it can be given all the same, as volunteered. */
const STALE_ASK = new Set(['token_expired', 'token_used']);

export interface Given {
  kind: Kind;
  subject: string;
  form: string;
  payload: Payload;
  token?: string | null;
  revision_of?: string | null;
  lead_ms?: number | null;
}

class Answers {
  /** How many wait to be sent. */
  pending = $state(0);
  /** The newest answer of this visit, which can be taken back. */
  last = $state.raw<SentAnswer | null>(null);
  #sending: Promise<void> | null = null;
  #again = false;
  #wait = SHORTEST_WAIT;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Keep an answer and send it. Durable when this returns, sent as soon as the server can be reached. */
  async give(given: Given): Promise<SentAnswer> {
    const answer: SentAnswer = {
      token: null,
      revision_of: null,
      lead_ms: null,
      ...given,
      id: uuid7(),
      retracted: false,
      created_at: new Date().toISOString(),
    };
    await this.#post(answer);
    this.last = answer;
    return answer;
  }

  /** Give an answer, say so, and offer to take it back; `undone` is told of the answer when it was. */
  async tell(given: Given, words: string, undone: (answer: SentAnswer) => void = () => {}): Promise<SentAnswer> {
    const answer = await this.give(given);
    toasts.say(words, 'Undo', () => void this.takeBack(answer).then(() => undone(answer)));
    return answer;
  }

  /** Take an answer back: one more revision, which says so. */
  async takeBack(answer: { id: string; kind: Kind; subject: string; form: string }): Promise<void> {
    const { kind, subject, form } = answer;
    const given = { kind, subject, form, payload: {}, token: null, revision_of: answer.id, lead_ms: null };
    await this.#post({ ...given, id: uuid7(), retracted: true, created_at: new Date().toISOString() });
    if (this.last?.id === answer.id) this.last = null;
  }

  async #post(answer: SentAnswer): Promise<void> {
    const person = here.person;
    if (!person) throw new Error('Log in first: an answer belongs to a person.');
    await put({ id: answer.id, person: person.id, item: answer, queued: Date.now() });
    this.pending += 1;
    void this.send();
  }

  /** Send what waits. Several calls at once are one. */
  send(): Promise<void> {
    if (this.#sending) this.#again = true;
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = null;
      if (this.#again) {
        this.#again = false;
        void this.send();
      }
    });
    return this.#sending;
  }

  async #sendAll(): Promise<void> {
    const person = here.person;
    if (!person) return;
    clearTimeout(this.#timer);
    try {
      for (;;) {
        const batch = (await waiting<SentAnswer>(person.id)).slice(0, MOST);
        if (batch.length === 0) break;
        if (!(await this.#sendBatch(batch))) throw new Unreachable();
      }
      this.#wait = SHORTEST_WAIT;
    } catch (error) {
      if (error instanceof Refused && error.status === 401) await here.load();
      this.#timer = setTimeout(() => void this.send(), this.#wait);
      this.#wait = Math.min(LONGEST_WAIT, this.#wait * 2);
    } finally {
      this.pending = (await waiting(person.id).catch(() => [])).length;
    }
  }

  /** Send one batch; whether it got anywhere. */
  async #sendBatch(batch: Waiting<SentAnswer>[]): Promise<boolean> {
    const body = { answers: batch.map((entry) => entry.item) };
    const { outcomes } = await call<{ outcomes: Outcome[] }>('POST', '/api/v1/answers/bulk', body);
    let moved = false;
    for (const [place, outcome] of outcomes.entries()) {
      const entry = batch[place];
      if (!entry || outcome.code === 'busy') continue;
      moved = true;
      if (outcome.status === 'refused' && entry.item.token && STALE_ASK.has(outcome.code) && entry.item.kind === 'picture') {
        await put({ ...entry, item: { ...entry.item, token: null } });
        continue;
      }
      if (outcome.status === 'refused') toasts.say(`One answer was not taken: ${outcome.message}`);
      await drop(entry.id);
    }
    return moved;
  }

  /** Begin to send what an earlier visit left, and whenever the network comes back. */
  start(): void {
    const now = (): void => {
      this.#wait = SHORTEST_WAIT;
      void this.send();
    };
    addEventListener('online', now);
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') now();
    });
    now();
  }
}

export const answers = new Answers();
