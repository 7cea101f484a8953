/** The cursor and the chosen rows of a list, as the keys j, k, x and Shift move them. */

export class Selection {
  cursor = $state(-1);
  chosen = $state.raw<ReadonlySet<string>>(new Set());
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
    const next = new Set(this.chosen);
    for (let at = from; at <= to; at++) {
      const one = this.#idAt(at);
      if (one === undefined) continue;
      if (wanted) next.add(one);
      else next.delete(one);
    }
    this.chosen = next;
    this.#anchor = index;
    this.cursor = index;
  }

  choose(ids: Iterable<string>): void {
    this.chosen = new Set([...this.chosen, ...ids]);
  }

  clear(): void {
    if (this.chosen.size > 0) this.chosen = new Set();
    this.#anchor = -1;
  }

  /** Back to the first row, for another filter. */
  reset(): void {
    this.clear();
    this.cursor = -1;
  }
}
