/** A policy that is edited in place, then asked for through the panel. */

import type { Guarded } from '$lib/api/routes';
import { Attempt } from '$lib/attempt.svelte';
import { gate } from '$lib/gate.svelte';
import { toasts } from '$lib/toasts.svelte';

export class Change extends Attempt {
  /** True where it was done. The request is begun in here: while one runs, a second one is not even sent. */
  async ask(begin: () => Guarded, word: string): Promise<boolean> {
    let done = false;
    await this.run(async () => {
      done = (await gate.through(begin())) !== undefined;
      if (done) toasts.say(word);
    });
    return done;
  }
}
