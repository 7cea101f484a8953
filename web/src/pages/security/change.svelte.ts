/** A policy that is edited in place, then asked for through the panel. */

import { asProblem, type Problem } from '$lib/api/problem';
import type { Guarded } from '$lib/api/routes';
import { gate } from '$lib/gate.svelte';
import { toasts } from '$lib/toasts.svelte';

export class Change {
  busy = $state(false);
  problem = $state.raw<Problem>();

  /** True where it was done. */
  async ask(asked: Guarded, word: string): Promise<boolean> {
    if (this.busy) return false;
    this.busy = true;
    this.problem = undefined;
    try {
      const result = await gate.through(asked);
      if (result) toasts.say(word);
      return result !== undefined;
    } catch (error) {
      this.problem = asProblem(error);
      return false;
    } finally {
      this.busy = false;
    }
  }
}
