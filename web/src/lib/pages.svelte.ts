/** A list that the server gives by pages: as far as somebody asked for it, and loaded again without losing what was shown. */

import { untrack } from 'svelte';
import { asProblem, type Problem } from '$lib/api/problem';
import { MOST } from '$lib/api/routes';
import type { Page } from '$lib/api/types';
import { Attempt } from './attempt.svelte';
import { on } from './live.svelte';
import { same } from './resource.svelte';
import { session } from './session.svelte';

type Load<T, Q> = (question: Q, part: { limit: number; cursor: string | undefined }) => Promise<Page<T>>;

export class Pages<T, Q> {
  /** Rows of the last question stay until those of the new one are there: `loaded` tells them apart. */
  items = $state.raw<T[]>([]);
  loaded = $state(false);
  loading = $state(false);
  problem = $state.raw<Problem>();
  total = $state<number>();
  /** Where the next page begins, where there is one. */
  next = $state<string>();
  /** Asking for the next page: each question has its own, so that nothing of an old one is left on it. */
  further = $state.raw(new Attempt());
  readonly #load: Load<T, Q>;
  readonly #size: number;
  #question: Q | undefined;
  #turn = 0;
  /** Pages that were asked for. */
  #wanted = 1;
  #last: Promise<unknown> = Promise.resolve();
  #waiting: Promise<void> | undefined;

  constructor(load: Load<T, Q>, size: number) {
    this.#load = load;
    this.#size = size;
  }

  /** Another question starts over and waits for nothing; the same one again is loaded again. */
  ask(question: Q): Promise<void> {
    if (same(question, this.#question)) return this.reload();
    this.#turn++;
    [this.#question, this.#wanted, this.#last, this.#waiting] = [question, 1, Promise.resolve(), undefined];
    [this.loaded, this.problem, this.further] = [false, undefined, new Attempt()];
    return this.reload();
  }

  /** One that has not begun yet sees what happens until then: a second one has nothing to add. */
  reload = (): Promise<void> => {
    this.#waiting ??= this.#after((turn) => {
      this.#waiting = undefined;
      return this.#again(turn);
    });
    return this.#waiting;
  };

  more = (): Promise<boolean> => this.further.run(() => this.#after((turn) => this.#append(turn)));

  /** One after the other: two at once would leave a gap between their pages, or give the same rows twice. */
  #after(load: (turn: number) => Promise<void>): Promise<void> {
    const turn = this.#turn;
    const done = this.#last.then(() => (turn === this.#turn ? load(turn) : undefined));
    this.#last = done.catch(() => undefined);
    return done;
  }

  /** As many rows as were asked for, from the first one on: where new ones came, the last ones stand on the next page. */
  async #again(turn: number): Promise<void> {
    this.loading = true;
    const items: T[] = [];
    const wanted = this.#wanted * this.#size;
    // A page can be short, or empty, and have a next one: nobody reads on through a whole log for a list that is only loaded again.
    let left = this.#wanted;
    try {
      let page: Page<T> | undefined;
      do {
        page = await this.#page(Math.min(MOST, wanted - items.length), page?.next);
        if (turn !== this.#turn) return;
        items.push(...page.items);
      } while (page.next && items.length < wanted && --left > 0);
      if (!same(items, this.items)) this.items = items;
      [this.next, this.total] = [page.next ?? undefined, page.total ?? undefined];
      [this.loaded, this.problem] = [true, undefined];
    } catch (error) {
      if (turn !== this.#turn) return;
      this.problem = asProblem(error);
      // What answers another question does not stand under this one's fault.
      if (!this.loaded) [this.items, this.next] = [[], undefined];
    } finally {
      if (turn === this.#turn) this.loading = false;
    }
  }

  async #append(turn: number): Promise<void> {
    if (this.next === undefined) return;
    const page = await this.#page(this.#size, this.next);
    if (turn !== this.#turn) return;
    this.items = [...this.items, ...page.items];
    this.next = page.next ?? undefined;
    this.#wanted++;
  }

  #page(limit: number, cursor: string | null | undefined): Promise<Page<T>> {
    return this.#load(this.#question as Q, { limit, cursor: cursor ?? undefined });
  }
}

/** Loads when the component starts, when its question changes, after a sign-in in place, and after a break of the live stream. */
export function pages<T, Q>(question: () => Q, load: Load<T, Q>, size: number): Pages<T, Q> {
  const made = new Pages(load, size);
  const words = $derived(JSON.stringify(question()));
  $effect(() => {
    void session.epoch;
    void words;
    untrack(() => void made.ask(question()));
    return on('resync', () => void made.reload());
  });
  return made;
}
