/** *Activate now* and *Activate later*: when they are asked, and where to go on afterwards. */

import { whenFactorMissing } from '$lib/api/client';
import { Problem } from '$lib/api/problem';
import { session } from './session.svelte';

const BACK = 'activation-back';
const LATER = 'activation-later';

class Activation {
  /** Why it is asked now: at sign-in, or because something was tried that needs a factor. */
  asked = $state<'sign-in' | 'action'>();

  #looking = false;

  constructor() {
    whenFactorMissing((tried) => (tried === 'changing' ? this.ask() : void this.#askWhereDue()));
  }

  /** Signed in with the password alone. */
  get reading(): boolean {
    return session.me?.session.stage === 'factorless';
  }

  /** Whether a factor is there, and only has to be proved. */
  get enrolled(): boolean {
    return session.me?.mfa.state === 'active';
  }

  /** At sign-in: once for each session, and never for people who have a factor. */
  greet(): void {
    const me = session.me;
    if (!me || !this.reading || this.enrolled || sessionStorage.getItem(LATER) === me.session.id) return;
    if (me.mfa.state === 'required') this.asked = 'sign-in';
  }

  /** Takes a refusal that means: a factor first. False where it is another one. */
  meets(error: unknown): boolean {
    if (!this.reading || !(error instanceof Problem) || error.status !== 403) return false;
    if (error.code !== 'factor_required' && error.code !== 'session_restricted') return false;
    this.ask();
    return true;
  }

  ask(): void {
    // Others meet this refusal too, and it is about somebody else's factor then.
    if (!this.reading) return;
    this.asked = 'action';
    // The policy may ask for it now, where it could wait before.
    void session.refresh();
  }

  /** Some pages are for nobody without a factor; once everything is, the person is told why. */
  async #askWhereDue(): Promise<void> {
    if (!this.reading || this.enrolled || this.asked || this.#looking) return;
    this.#looking = true;
    await session.refresh();
    this.#looking = false;
    if (this.reading && session.me?.mfa.may_postpone === false) this.asked ??= 'sign-in';
  }

  later(): void {
    if (session.me) sessionStorage.setItem(LATER, session.me.session.id);
    this.asked = undefined;
  }

  /** Where the person was, for the page at the end of the mailed link: it may open in another tab. */
  keepPlace(): void {
    localStorage.setItem(BACK, location.pathname + location.search);
  }

  takePlace(): string {
    const kept = localStorage.getItem(BACK) ?? '';
    localStorage.removeItem(BACK);
    return /^\/(?!\/)/.test(kept) ? kept : '/devices';
  }
}

export const activation = new Activation();
