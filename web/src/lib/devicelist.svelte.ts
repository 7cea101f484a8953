/** A list of up to many thousand devices: pages are fetched as far as one scrolls, live changes come in by the batch. */

import type { Query } from '$lib/api/client';
import { asProblem, type Problem } from '$lib/api/problem';
import * as api from '$lib/api/routes';
import type { Device, DeviceCounts, DevicePage } from '$lib/api/types';

const FIRST_PAGE = 200;
const LATER_PAGE = 1000;

export interface DeviceNote {
  device: string;
  online: boolean;
}

export class DeviceList {
  items = $state.raw<Device[]>([]);
  total = $state(0);
  counts = $state.raw<DeviceCounts>();
  problem = $state.raw<Problem>();
  loaded = $state(false);
  #query: Query = {};
  #next: string | undefined;
  #turn = 0;
  #more: Promise<void> | undefined;
  #refreshing: Promise<void> | undefined;
  #stale = false;
  readonly #places = new Map<string, number>();
  readonly #notes = new Map<string, boolean>();

  /** Starts over with another filter; rows of the old one stay until the new ones are there. */
  async load(query: Query): Promise<void> {
    const turn = ++this.#turn;
    this.#query = query;
    // Where the old list went on is no place in the new one.
    [this.#next, this.#more] = [undefined, undefined];
    try {
      const page = await api.devices({ ...query, limit: FIRST_PAGE });
      if (turn !== this.#turn) return;
      this.#start(page.items, page, page.next ?? undefined);
    } catch (error) {
      if (turn === this.#turn) this.problem = asProblem(error);
    } finally {
      if (turn === this.#turn) this.loaded = true;
    }
  }

  /** Loads again what is there now, and swaps it in at once; the list never shrinks under the reader. What changed while an answer was
   * on its way may not be in it: it is asked for once more. */
  refresh(): Promise<void> {
    this.#stale = true;
    this.#refreshing ??= this.#untilFresh().finally(() => (this.#refreshing = undefined));
    return this.#refreshing;
  }

  async #untilFresh(): Promise<void> {
    while (this.#stale) {
      this.#stale = false;
      try {
        await this.#reload(this.#turn);
      } catch {
        // What is shown stays; the live mark says that the connection is lost.
      }
    }
  }

  async #reload(turn: number): Promise<void> {
    const wanted = Math.max(FIRST_PAGE, this.items.length);
    const fresh: Device[] = [];
    let page: DevicePage;
    let cursor: string | undefined;
    do {
      const limit = wanted > FIRST_PAGE ? LATER_PAGE : FIRST_PAGE;
      page = await api.devices({ ...this.#query, limit, cursor }, true);
      if (turn !== this.#turn) return;
      fresh.push(...page.items);
      cursor = page.next ?? undefined;
    } while (cursor && fresh.length < wanted);
    this.#turn++;
    this.#more = undefined;
    this.#start(fresh, page, cursor);
  }

  #start(devices: Device[], page: DevicePage, next: string | undefined): void {
    this.#places.clear();
    this.items = [];
    this.#append(devices);
    this.#next = next;
    this.total = page.total;
    this.counts = page.counts;
    this.problem = undefined;
  }

  #append(devices: Device[]): void {
    const fresh = devices.filter((device) => !this.#places.has(device.id));
    fresh.forEach((device, at) => this.#places.set(device.id, this.items.length + at));
    this.items = [...this.items, ...fresh];
  }

  /** Sees to it that the first `count` rows are there. */
  async reach(count: number): Promise<void> {
    while (this.items.length < Math.min(count, this.total) && this.#next) {
      this.#more ??= this.#page().finally(() => (this.#more = undefined));
      await this.#more;
      if (this.problem) return;
    }
  }

  async #page(): Promise<void> {
    const turn = this.#turn;
    try {
      const page = await api.devices({ ...this.#query, limit: LATER_PAGE, cursor: this.#next });
      if (turn !== this.#turn) return;
      this.#append(page.items);
      this.#next = page.next ?? undefined;
    } catch (error) {
      if (turn === this.#turn) this.problem = asProblem(error);
    }
  }

  /** Takes a live note; true where it says more than that a device of the list came or went, or names one that a complete list does not have. */
  note(note: DeviceNote): boolean {
    const place = this.#places.get(note.device);
    const shown = this.#notes.get(note.device) ?? (place === undefined ? undefined : this.items[place]?.online);
    this.#notes.set(note.device, note.online);
    return place === undefined ? !this.#next : shown === note.online;
  }

  /** Puts all waiting notes into the rows at once. */
  settle(): void {
    if (this.#notes.size === 0) return;
    const items = this.items.slice();
    const now = new Date().toISOString();
    for (const [id, online] of this.#notes) {
      const place = this.#places.get(id);
      const device = place === undefined ? undefined : items[place];
      if (place === undefined || !device || device.online === online) continue;
      items[place] = { ...device, online, last_seen: now };
      this.#count(online ? 1 : -1);
    }
    this.#notes.clear();
    this.items = items;
  }

  #count(by: number): void {
    if (this.counts) this.counts = { ...this.counts, online: this.counts.online + by, offline: Math.max(0, this.counts.offline - by) };
  }

  replace(device: Device): void {
    const place = this.#places.get(device.id);
    if (place === undefined) return;
    const items = this.items.slice();
    items[place] = device;
    this.items = items;
  }
}
