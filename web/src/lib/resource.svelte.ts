/** Something loaded from the server: the value stays while it is loaded again, a fault stays where it happened. */

import { asProblem, type Problem } from '$lib/api/problem';
import { on } from './live.svelte';
import { session } from './session.svelte';

export class Resource<T> {
  value = $state.raw<T>();
  problem = $state.raw<Problem>();
  loading = $state(false);
  readonly #load: () => Promise<T>;
  #turn = 0;
  /** The turn whose answer is shown. */
  #shown = 0;
  /** The first turn of the present question. */
  #question = 0;

  constructor(load: () => Promise<T>) {
    this.#load = load;
  }

  /** Asks something else than before: what is still to be answered to the last question is not taken. */
  ask = (): Promise<void> => {
    this.#question = this.#turn + 1;
    return this.reload();
  };

  /** The answer came by another way, and is newer than all that was asked for until now. */
  put(value: T): void {
    this.#shown = ++this.#turn;
    this.loading = false;
    [this.value, this.problem] = [value, undefined];
  }

  /** Asks the same once more. Each answer is taken that is newer than what is shown: steady changes keep none of them away. */
  reload = async (): Promise<void> => {
    const turn = ++this.#turn;
    const takes = () => turn >= this.#question && turn > this.#shown;
    const asked = this.#load();
    this.loading = true;
    try {
      const value = await asked;
      if (!takes()) return;
      this.#shown = turn;
      if (!same(value, this.value)) this.value = value;
      this.problem = undefined;
    } catch (error) {
      if (!takes()) return;
      this.#shown = turn;
      this.problem = asProblem(error);
    } finally {
      if (turn === this.#turn) this.loading = false;
    }
  };
}

/** The same answer again changes nothing: what follows from it stays as it is, and with it what somebody is just typing. */
export function same(one: unknown, other: unknown): boolean {
  return plain(one) && plain(other) && JSON.stringify(one) === JSON.stringify(other);
}

const plain = (value: unknown) => Array.isArray(value) || (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype);

/** Loads when the component starts, when what `load` reads changes, after a sign-in in place, and after a break of the live stream. */
export function resource<T>(load: () => Promise<T>): Resource<T> {
  const made = new Resource(load);
  $effect(() => {
    void session.epoch;
    void made.ask();
    return on('resync', () => void made.reload());
  });
  return made;
}
