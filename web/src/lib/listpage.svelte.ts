/** A short list that is there as a whole: filtered here, moved through with the usual keys. */

import { onKeys } from './keys';
import { rank } from './palette';
import { Selection } from './selection.svelte';

interface Wanted<T> {
  items: () => T[];
  id: (item: T) => string;
  text: (item: T) => string;
  open: (item: T) => void;
}

export class ShortList<T> {
  sought = $state('');
  input = $state<HTMLInputElement>();
  readonly selection: Selection;
  readonly #wanted: Wanted<T>;
  shown = $derived.by(() => this.#wanted.items().filter((item) => rank(this.sought, this.#wanted.text(item)) !== undefined));

  constructor(wanted: Wanted<T>) {
    this.#wanted = wanted;
    this.selection = new Selection(
      (at) => {
        const item = this.shown[at];
        return item === undefined ? undefined : wanted.id(item);
      },
      () => this.shown.length,
    );
    $effect(() =>
      onKeys({
        '/': () => this.input?.focus(),
        j: () => this.selection.move(1),
        k: () => this.selection.move(-1),
        ArrowDown: () => this.selection.move(1),
        ArrowUp: () => this.selection.move(-1),
        Enter: () => {
          const item = this.shown[this.selection.cursor];
          if (item !== undefined) wanted.open(item);
        },
      }),
    );
  }
}
