/** Who is signed in. A session that ended locks the page in place; nothing that was typed is lost. */

import { whenChallenged, whenSignedOut } from '$lib/api/client';
import { Problem } from '$lib/api/problem';
import * as factors from '$lib/api/factors';
import * as api from '$lib/api/routes';
import type { FactorAnswer, Me } from '$lib/api/types';
import { type Kit, signRecovery } from '$lib/crypto/kit';
import { usePasskey } from '$lib/passkey';

export type SignedIn = 'unknown' | 'out' | 'codes' | 'in' | 'locked' | 'challenged';

const REFRESH_MS = 60_000;

class Session {
  me = $state<Me>();
  state = $state<SignedIn>('unknown');
  /** Grows with each sign-in in place, so that pages load again what they missed. */
  epoch = $state(0);
  /** Recovery codes of the set-up, shown until they are confirmed. Never stored. */
  freshCodes = $state<string[]>();
  failure = $state<Problem>();

  start(): void {
    whenSignedOut(() => this.lock());
    whenChallenged(() => this.#challenge());
    void this.load();
    setInterval(() => void this.refresh(), REFRESH_MS);
  }

  async load(): Promise<void> {
    this.failure = undefined;
    try {
      this.#take(await api.me());
    } catch (error) {
      if (error instanceof Problem && error.status === 401) this.state = 'out';
      else if (error instanceof Problem) this.failure = error;
      else throw error;
    }
  }

  #take(me: Me): void {
    if (this.me && this.me.user !== me.user) {
      // Somebody else signed in over a locked page: they must not see what was on it.
      location.reload();
      return;
    }
    this.me = me;
    this.state = me.session.stage === 'codes' ? 'codes' : 'in';
  }

  /** Polling is no use of the session: it is marked so, and only reads how long the session lasts. */
  async refresh(): Promise<void> {
    if (this.state !== 'in' || document.hidden) return;
    try {
      this.#take(await api.me(true));
    } catch {
      // A lost session is noticed by the client; a lost connection is shown by the live mark.
    }
  }

  async signIn(email: string, password: string, code: string): Promise<void> {
    await api.signIn({ email, password, code });
    await this.#entered();
  }

  /** The authenticator says whose it is: nobody types a name. With `waiting`, it is offered under the e-mail field instead of asked for. */
  async signInWithPasskey(waiting?: { signal: AbortSignal }): Promise<void> {
    const { ceremony, options } = await factors.startPasskeySignIn();
    waiting?.signal.throwIfAborted();
    await factors.finishPasskeySignIn(ceremony, await usePasskey(options, waiting));
    await this.#entered();
  }

  /** The kit signs for exactly this challenge and this browser's key; the file stays here. */
  async recover(email: string, password: string, kit: Kit): Promise<void> {
    const asked = await factors.startKit();
    await factors.finishKit({ email, password, statement: await signRecovery(kit, { ...asked, email }) });
    await this.#entered();
  }

  async #entered(): Promise<void> {
    await this.load();
    this.epoch++;
  }

  may(capability: string): boolean {
    return this.me?.capabilities.includes(capability) ?? false;
  }

  /** What ended was ended on purpose: its answer stays on the page, and no lock comes over it. */
  leaving = false;

  lock(): void {
    if (this.leaving) return;
    if (this.me && (this.inside || this.state === 'codes')) this.state = 'locked';
    else if (this.state === 'unknown') this.state = 'out';
  }

  /** There is a page, in sight or behind a lock. */
  get inside(): boolean {
    return ['in', 'locked', 'challenged'].includes(this.state);
  }

  #challenge(): void {
    if (this.state === 'in') this.state = 'challenged';
  }

  /** The address left the allowed networks and a factor was proved: the same session goes on, and pages load what they missed. */
  async elevate(answer: FactorAnswer): Promise<void> {
    await factors.elevate(answer);
    await this.#entered();
  }

  async signOut(): Promise<void> {
    await api.signOut();
    location.assign('/sign-in');
  }

  async confirmCodes(): Promise<void> {
    await api.codesSaved();
    this.freshCodes = undefined;
    await this.load();
  }
}

export const session = new Session();
