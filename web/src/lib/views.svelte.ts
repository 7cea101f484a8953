/** Filters that somebody gave a name, kept in this browser. */

import { remember, remembered } from './theme.svelte';

export interface View {
  name: string;
  search: string;
}

function stored(list: string): View[] {
  try {
    const views: unknown = JSON.parse(remembered(`views.${list}`) ?? '[]');
    return Array.isArray(views) ? views.filter((view): view is View => typeof view?.name === 'string' && typeof view?.search === 'string') : [];
  } catch {
    return [];
  }
}

export class Views {
  list = $state.raw<View[]>([]);
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
    this.list = stored(name);
  }

  save(view: View): void {
    this.#keep([...this.list.filter((one) => one.name !== view.name), view]);
  }

  drop(name: string): void {
    this.#keep(this.list.filter((view) => view.name !== name));
  }

  #keep(list: View[]): void {
    this.list = list;
    remember(`views.${this.#name}`, JSON.stringify(list));
  }
}
