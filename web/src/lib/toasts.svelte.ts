/** Short messages that go by themselves, some with one thing to do, such as undo. */
import { Task } from './task.svelte';

export interface Toast {
  id: number;
  text: string;
  action: string;
  act: () => void;
}

const LASTS = 7000;

class Toasts {
  list = $state.raw<Toast[]>([]);
  #next = 1;

  say(text: string, action = '', act: () => void = () => {}): void {
    const toast = { id: this.#next++, text, action, act };
    // One at a time: what is new is what matters, and a phone has little room.
    this.list = [toast];
    setTimeout(() => this.drop(toast.id), LASTS);
  }

  drop(id: number): void {
    this.list = this.list.filter((toast) => toast.id !== id);
  }

  /** Do what the newest message offers. Whether there was something. */
  act(): boolean {
    const toast = this.list.find((item) => item.action);
    if (!toast) return false;
    this.drop(toast.id);
    toast.act();
    return true;
  }
}

export const toasts = new Toasts();

/** Do something and tell in a message what went wrong, or `then` when all went well. Whether it did. */
export async function attempt(what: () => Promise<unknown>, then = ''): Promise<boolean> {
  const task = new Task();
  const done = await task.run(what);
  if (task.problem || then) toasts.say(task.problem || then);
  return done;
}

/** What a form does instead of loading another page. */
export function sends(event: SubmitEvent, act: () => unknown): void {
  event.preventDefault();
  void act();
}
