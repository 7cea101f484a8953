/** The output of one run, read from the beginning and on as it grows. */

import { asProblem, type Problem } from '$lib/api/problem';
import * as api from '$lib/api/routes';
import type { OutputChunk } from '$lib/api/types';

/** More than this stays on the server: a page with it would no longer scroll. */
const SHOWN_CHARS = 512 * 1024;

export class RunOutput {
  chunks = $state.raw<OutputChunk[]>([]);
  cut = $state(false);
  loaded = $state(false);
  problem = $state.raw<Problem>();
  readonly #run: string;
  #next = 0;
  #chars = 0;
  #busy = false;
  #again = false;

  constructor(run: string) {
    this.#run = run;
  }

  read = async (): Promise<void> => {
    this.#again = this.#busy;
    if (this.#busy || this.cut) return;
    this.#busy = true;
    try {
      do {
        this.#again = false;
        while (await this.#page());
      } while (this.#again);
      this.problem = undefined;
    } catch (error) {
      this.problem = asProblem(error);
    } finally {
      this.#busy = false;
      this.loaded = true;
    }
  };

  async #page(): Promise<boolean> {
    const page = await api.output(this.#run, this.#next);
    const fresh = page.chunks.filter((chunk) => chunk.seq >= this.#next || this.#next === 0);
    this.#next = page.next;
    this.#chars += fresh.reduce((sum, chunk) => sum + chunk.text.length, 0);
    if (fresh.length > 0) this.chunks = [...this.chunks, ...fresh];
    this.cut = this.#chars > SHOWN_CHARS;
    return page.more && !this.cut;
  }
}
