/** Who is here, what they may, and which forms this server asks with. Remembers the last of both for offline use. */
import { call, onReach, Unreachable, useCsrfCookie } from './call';
import type { Form, Forms, Me, Session } from './contract';
import { forgetKept, keep, kept } from './outbox';

class Here {
  session = $state.raw<Session | null>(null);
  forms = $state.raw<Forms | null>(null);
  reached = $state(true);
  failed = $state('');

  constructor() {
    onReach((reached) => {
      this.reached = reached;
    });
  }

  get person(): Me | null {
    return this.session?.person ?? null;
  }

  get open(): boolean {
    return this.session?.authentication === 'open';
  }

  may(scope: string): boolean {
    return this.person?.scopes.includes(scope) ?? false;
  }

  form(name: string): Form | undefined {
    return this.forms?.forms.find((form) => form.name === name);
  }

  /** The form that a picture is rated with here. */
  get usual(): Form | undefined {
    return this.form(this.forms?.ask_form ?? '') ?? this.forms?.forms.find((form) => form.kind === 'picture');
  }

  async load(): Promise<void> {
    try {
      const session = await call<Session>('GET', '/api/v1/session');
      useCsrfCookie(session.csrf_cookie);
      this.session = session;
      if (session.person) {
        this.forms = await call<Forms>('GET', '/api/v1/forms');
        await this.#remember();
      }
      this.failed = '';
    } catch (error) {
      if (!(error instanceof Unreachable)) this.failed = error instanceof Error ? error.message : String(error);
      this.session ??= (await kept<Session>('session').catch(() => undefined)) ?? null;
      this.forms ??= (await kept<Forms>('forms').catch(() => undefined)) ?? null;
      if (this.session) useCsrfCookie(this.session.csrf_cookie);
    }
  }

  async #remember(): Promise<void> {
    try {
      await keep('session', this.session);
      await keep('forms', this.forms);
    } catch {
      // A browser that keeps nothing still works while the network does.
    }
  }

  /** Take over what the server answered about the person. */
  changed(person: Me): void {
    if (this.session) this.session = { ...this.session, person };
    void this.#remember();
  }

  async change(part: Record<string, unknown>): Promise<void> {
    this.changed(await call<Me>('PATCH', '/api/v1/me', part));
  }

  async leave(): Promise<void> {
    await call('POST', '/api/v1/logout');
    await this.gone();
  }

  /** Nobody is logged in any more: forget what was shown to the person who was. */
  async gone(): Promise<void> {
    await forgetKept().catch(() => {});
    // Without a secure connection a browser has no caches to forget.
    if ('caches' in window) await caches.delete('redraft-pictures').catch(() => false);
    if (this.session) this.session = { ...this.session, person: null };
  }
}

export const here = new Here();
