/** *Activate now* and *Activate later*: when they are asked, and where to go on afterwards. */

import { whenFactorMissing } from '$lib/api/client';
import { Problem } from '$lib/api/problem';
import { session } from './session.svelte';

const BACK = 'activation-back';
const LATER = 'activation-later';

class Activation {
  /** Why it is asked now: at sign-in, or because something was tried that needs a factor. */
  asked = $state<'sign-in' | 'action'>();

  constructor() {
    whenFactorMissing(() => this.ask());
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
    if (!(error instanceof Problem) || error.status !== 403) return false;
    if (error.code !== 'factor_required' && !(this.reading && error.code === 'session_restricted')) return false;
    this.asked = 'action';
    return true;
  }

  ask(): void {
    this.asked = 'action';
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
