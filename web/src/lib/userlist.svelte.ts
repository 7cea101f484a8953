/** The users of a tenant: few hundred at most, fetched by pages until all are there. */

import type { Query } from '$lib/api/client';
import * as people from '$lib/api/people';
import { asProblem, type Problem } from '$lib/api/problem';
import type { User, UserCounts } from '$lib/api/types';

const PAGE = 200;

/** The server's filter that joins two states: whoever has no factor, required or not. */
export const WITHOUT = 'without';

export class UserList {
  items = $state.raw<User[]>([]);
  total = $state(0);
  counts = $state.raw<UserCounts>();
  problem = $state.raw<Problem>();
  loaded = $state(false);
  more = $state(false);
  #query: Query = {};
  #next: string | undefined;
  #turn = 0;

  /** Rows of the old filter stay until the new ones are there. */
  async load(query: Query): Promise<void> {
    this.#query = query;
    await this.#fetch(PAGE);
  }

  /** The same filter again, with as many rows as are shown. */
  refresh = (): Promise<void> => this.#fetch(Math.max(PAGE, this.items.length));

  async #fetch(wanted: number): Promise<void> {
    const turn = ++this.#turn;
    try {
      const items: User[] = [];
      let cursor: string | undefined;
      let [total, counts] = [0, this.counts];
      do {
        const page = await people.users({ ...this.#query, limit: PAGE, cursor });
        if (turn !== this.#turn) return;
        items.push(...page.items);
        [cursor, total, counts] = [page.next ?? undefined, page.total, page.counts];
      } while (cursor && items.length < wanted);
      [this.items, this.counts, this.total] = [items, counts, total];
      this.#next = cursor;
      this.more = cursor !== undefined;
      this.problem = undefined;
    } catch (error) {
      if (turn === this.#turn) this.problem = asProblem(error);
    } finally {
      if (turn === this.#turn) this.loaded = true;
    }
  }

  async reachMore(): Promise<void> {
    if (!this.#next) return;
    await this.#fetch(this.items.length + PAGE);
  }
}
