/** The cursor and the chosen rows of a list, as the keys j, k, x and Shift move them. */

import { SvelteSet } from 'svelte/reactivity';

export class Selection {
  cursor = $state(-1);
  readonly chosen = new SvelteSet<string>();
  #anchor = -1;
  readonly #idAt: (index: number) => string | undefined;
  readonly #count: () => number;

  constructor(idAt: (index: number) => string | undefined, count: () => number) {
    this.#idAt = idAt;
    this.#count = count;
  }

  move(by: number): void {
    const last = this.#count() - 1;
    if (last < 0) return;
    this.cursor = Math.min(last, Math.max(0, this.cursor < 0 ? (by > 0 ? 0 : last) : this.cursor + by));
  }

  /** Flips one row; with Shift, everything from the last flipped row to here takes the new state. */
  flip(index: number, range: boolean): void {
    const id = this.#idAt(index);
    if (id === undefined) return;
    const wanted = !this.chosen.has(id);
    const from = range && this.#anchor >= 0 ? Math.min(this.#anchor, index) : index;
    const to = range && this.#anchor >= 0 ? Math.max(this.#anchor, index) : index;
    for (let at = from; at <= to; at++) this.#set(this.#idAt(at), wanted);
    this.#anchor = index;
    this.cursor = index;
  }

  #set(id: string | undefined, wanted: boolean): void {
    if (id === undefined) return;
    if (wanted) this.chosen.add(id);
    else this.chosen.delete(id);
  }

  choose(ids: Iterable<string>): void {
    for (const id of ids) this.chosen.add(id);
  }

  clear(): void {
    this.chosen.clear();
    this.#anchor = -1;
  }

  /** Back to the first row, for another filter. */
  reset(): void {
    this.clear();
    this.cursor = -1;
  }
}
