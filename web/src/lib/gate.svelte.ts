/** The authorization panel: one at a time, for whichever guarded action the server froze. */

import { asProblem, type Problem } from '$lib/api/problem';
import * as api from '$lib/api/routes';
import type { ActionResult, AuthorizationRequest } from '$lib/api/types';
import { activation } from './activation.svelte';
import { usePasskey } from './passkey';

/** Longer than this without an answer, and the panel opens with its bones. */
const PATIENCE_MS = 80;

class Gate {
  request = $state<AuthorizationRequest>();
  freezing = $state(false);
  wrong = $state<Problem>();
  busy = $state(false);
  #close: ((result: ActionResult | undefined) => void) | undefined;
  #turn = 0;

  get open(): boolean {
    return this.freezing || this.request !== undefined;
  }

  /** Asks for a guarded action and sees it through. Undefined where it was closed, denied or lapsed. */
  async through(asked: api.Guarded): Promise<ActionResult | undefined> {
    const slow = setTimeout(() => (this.freezing = true), PATIENCE_MS);
    try {
      const { value } = await asked;
      return 'requirement' in value ? await this.show(value) : value;
    } catch (error) {
      // Nothing was frozen: whoever has no factor is asked to set one up, and stays where they are.
      if (activation.meets(error)) return undefined;
      throw error;
    } finally {
      clearTimeout(slow);
      this.freezing = false;
    }
  }

  show(request: AuthorizationRequest): Promise<ActionResult | undefined> {
    this.#close?.(undefined);
    this.#turn++;
    this.request = request;
    this.wrong = undefined;
    this.freezing = false;
    this.busy = false;
    return new Promise((resolve) => (this.#close = resolve));
  }

  /** True where the code was accepted. */
  async prove(totp: string, number?: string): Promise<boolean> {
    const id = this.request?.id;
    return id !== undefined && this.#answer(() => api.prove(id, { totp, number }));
  }

  /** The passkey signs the digest of this very request: its challenge is nothing else. */
  async proveByPasskey(number?: string): Promise<boolean> {
    const id = this.request?.id;
    return (
      id !== undefined &&
      this.#answer(async () => {
        const { options } = await api.challengeOf(id);
        return api.prove(id, { passkey: { credential: await usePasskey(options) }, number });
      })
    );
  }

  async deny(): Promise<boolean> {
    const id = this.request?.id;
    return id !== undefined && this.#answer(() => api.deny(id).then(() => api.request(id)));
  }

  async #answer(answer: () => Promise<AuthorizationRequest>): Promise<boolean> {
    const turn = ++this.#turn;
    // Where another one is shown by now, what was answered to this one is not written over it.
    const passed = () => turn !== this.#turn;
    this.busy = true;
    this.wrong = undefined;
    try {
      const request = await answer();
      if (passed()) return false;
      const result = request.result ?? this.request?.result ?? null;
      // A panel that was closed meanwhile comes back for a result alone: some are shown only once.
      if (this.request || result) this.request = { ...request, result };
      this.busy = false;
      // What it opened is shown at once, and its ticket lasts for seconds: no receipt stands in between.
      if (result?.kind === 'remote_session') this.close();
      return true;
    } catch (error) {
      if (this.request && !passed()) this.wrong = asProblem(error);
      return false;
    } finally {
      if (!passed()) {
        this.busy = false;
        if (!this.request) this.close();
      }
    }
  }

  /** Takes in what others did to the request meanwhile. Never loses a result that was shown once. */
  async refresh(): Promise<void> {
    const shown = this.request;
    if (!shown || shown.state !== 'open' || this.busy) return;
    const fresh = await api.request(shown.id, true).catch(() => undefined);
    if (fresh && this.request?.id === fresh.id && this.request.state === 'open' && !this.busy) this.request = fresh;
  }

  /** Puts the panel away. While an answer is on its way, whoever asked for the action waits for it: it may bring what they asked for. */
  close(): void {
    const done = this.request?.state === 'executed' ? (this.request.result ?? undefined) : undefined;
    this.request = undefined;
    this.wrong = undefined;
    this.freezing = false;
    if (this.busy) return;
    this.#close?.(done);
    this.#close = undefined;
  }
}

export const gate = new Gate();

export const isOpen = (request: AuthorizationRequest): boolean => request.state === 'open';
