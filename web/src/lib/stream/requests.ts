/** Questions and answers inside of a stream: numbered requests, pushes that belong to one, and data channels by the same number. */

import type { Bytes } from '$lib/crypto/bytes';
import { RefusedByDevice, StreamError } from './errors';
import type { Control } from './plain';

export interface Sender {
  control(message: Control): Promise<void>;
  data(channel: number, bytes: Uint8Array): Promise<void>;
}

export interface Hearing {
  /** A message that is neither `ok` nor `error`, yet carries the request's number. */
  push?(message: Control): void;
  /** Data on the request's own channel; the stream waits for it. */
  data?(bytes: Bytes): void | Promise<void>;
  /** The request failed after its `ok`. */
  failed?(error: Error): void;
}

interface Open extends Hearing {
  settle(message: Control): void;
  fail(error: Error): void;
  stays: boolean;
}

export class Requests {
  readonly #sender: Sender;
  readonly #open = new Map<number, Open>();
  #next = 1;

  constructor(sender: Sender) {
    this.#sender = sender;
  }

  /** Asks, and gives the device's `ok`; throws what it refused. */
  ask<T>(t: string, fields: Record<string, unknown> = {}, hearing: Hearing = {}): Promise<T> {
    return this.begin<T>(t, fields, hearing).done;
  }

  /** Asks, and keeps listening to the number until it is dropped. */
  begin<T>(t: string, fields: Record<string, unknown> = {}, hearing: Hearing = {}, stays = false): { id: number; done: Promise<T> } {
    const id = this.#next++;
    const done = new Promise<T>((settle, fail) => {
      this.#open.set(id, { ...hearing, settle: (message) => settle(message as T), fail, stays });
      this.#sender.control({ t, id, ...fields }).catch((error: unknown) => {
        this.#open.delete(id);
        fail(error instanceof Error ? error : new StreamError('ended'));
      });
    });
    return { id, done };
  }

  /** Says one more thing under a number that is already open, for example `commit`. */
  async more<T>(id: number, t: string, fields: Record<string, unknown> = {}): Promise<T> {
    const earlier = this.#open.get(id);
    return new Promise<T>((settle, fail) => {
      this.#open.set(id, { ...earlier, settle: (message) => settle(message as T), fail, stays: false });
      this.#sender.control({ t, id, ...fields }).catch((error: unknown) => fail(error instanceof Error ? error : new StreamError('ended')));
    });
  }

  data(id: number, bytes: Uint8Array): Promise<void> {
    return this.#sender.data(id, bytes);
  }

  drop(id: number): void {
    this.#open.delete(id);
  }

  /** True where the message belonged to a request. */
  hear(message: Control): boolean {
    const id = message.id;
    const open = typeof id === 'number' ? this.#open.get(id) : undefined;
    if (typeof id !== 'number' || !open) return false;
    if (message.t === 'ok') {
      if (!open.stays) this.#open.delete(id);
      open.settle(message);
    } else if (message.t === 'error') {
      const error = new RefusedByDevice(String(message.code), typeof message.detail === 'string' ? message.detail : '');
      this.#open.delete(id);
      open.fail(error);
      open.failed?.(error);
    } else open.push?.(message);
    return true;
  }

  hearData(id: number, bytes: Bytes): void | Promise<void> {
    return this.#open.get(id)?.data?.(bytes);
  }

  /** The stream is over: whoever waits is told why. */
  end(error: Error): void {
    const open = [...this.#open.values()];
    this.#open.clear();
    for (const one of open) {
      one.fail(error);
      one.failed?.(error);
    }
  }
}
