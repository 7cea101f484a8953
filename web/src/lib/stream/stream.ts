/**
 * One end of an encrypted stream, across as many connections as it takes.
 *
 * It numbers, seals and keeps what it sends until the device has acknowledged it, opens what comes in exactly in order, and
 * after each break sends again what the other side lacks. It knows no sockets and no clock but the one for late acknowledgements.
 */

import type { Bytes } from '$lib/crypto/bytes';
import type { Kind } from './answer';
import { StreamError } from './errors';
import { isResume, openFrame, openResume, sealFrame, sealResume } from './frames';
import type { StreamKeys } from './keys';
import { ackBytes, controlBytes, type Control, dataBytes, PART_BYTES, type Plain, readPlain } from './plain';

/** What is kept for the other side at most; beyond it nothing more is taken on. Files fill a long line; a keystroke would wait behind so much. */
export const unackedBytes = (kind: Kind) => (kind === 'files' ? 1024 : 256) * 1024;
const ACKS_PER_WINDOW = 8;
const ACK_AFTER_MS = 50;
/** Acknowledgements are acknowledged too, though rarely: otherwise a one-way stream would keep them for ever. */
const ACKS_UNTIL_ACK = 64;

export interface Wire {
  send(bytes: Bytes): void;
}

export interface Events {
  /** In order, one after the other: the next part waits, and counts as unread, until this is done. */
  part(part: Exclude<Plain, { type: 'ack' }>): void | Promise<void>;
  /** The stream is beyond repair. */
  broken(error: StreamError): void;
  /** The other side said where it stands: from now on messages flow. */
  resumed(): void;
}

interface Kept {
  counter: bigint;
  bytes: Bytes;
  weighs: number;
  at: number;
}

export class Stream {
  readonly #keys: StreamKeys;
  readonly #events: Events;
  readonly #most: number;
  #wire: Wire | undefined;
  /** Each connection begins with one resume message, and has no other. */
  #greeted = false;
  /** The other side's resume was taken in: frames may go out. */
  #flowing = false;
  #epoch = 0n;
  #otherEpoch = -1n;
  #next = 0n;
  #kept: Kept[] = [];
  #weight = 0;
  #expected = 0n;
  #consumed = 0n;
  #acked = 0n;
  #unackedIn = 0;
  #acksIn = 0;
  #ackTimer: ReturnType<typeof setTimeout> | undefined;
  #sealing: Promise<void> = Promise.resolve();
  #opening: Promise<void> = Promise.resolve();
  #room: (() => void)[] = [];
  #dead: StreamError | undefined;

  constructor(keys: StreamKeys, kind: Kind, events: Events) {
    this.#keys = keys;
    this.#events = events;
    this.#most = unackedBytes(kind);
  }

  /** A new connection stands: says where this side stands, and waits for the same of the other. */
  async attach(wire: Wire): Promise<void> {
    this.#wire = wire;
    this.#flowing = false;
    this.#greeted = false;
    const resume = await sealResume(this.#keys.resume.client, this.#epoch++, this.#expected);
    if (this.#wire === wire) wire.send(resume);
  }

  detach(): void {
    this.#wire = undefined;
    this.#flowing = false;
  }

  /** Milliseconds that the oldest message waits for its acknowledgement; 0 where none waits. */
  waiting(now: number): number {
    const oldest = this.#kept.find((one) => one.weighs > 0);
    return oldest && this.#flowing ? now - oldest.at : 0;
  }

  /** Done once everything that came in so far was handled. */
  handled(): Promise<void> {
    return this.#opening;
  }

  /** Ends this side for good; whoever waits for room is told. */
  close(error = new StreamError('ended')): void {
    this.#dead ??= error;
    this.detach();
    clearTimeout(this.#ackTimer);
    for (const tell of this.#room.splice(0)) tell();
  }

  control(message: Control): Promise<void> {
    return this.#accept(controlBytes(message));
  }

  /** Sends bytes in parts that fit; done once the last one has its place among what is kept. */
  async data(channel: number, bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += PART_BYTES) await this.#accept(dataBytes(channel, bytes.subarray(at, at + PART_BYTES)));
  }

  async #accept(plain: Bytes): Promise<void> {
    while (!this.#dead && this.#weight + plain.length > this.#most) await new Promise<void>((free) => this.#room.push(free));
    if (this.#dead) throw this.#dead;
    this.#weight += plain.length;
    return this.#send(plain, plain.length);
  }

  /** Numbers are given in the order of the calls; sealing takes a while, so each waits for the one before. */
  #send(plain: Bytes, weighs: number): Promise<void> {
    this.#sealing = this.#sealing.then(async () => {
      if (this.#dead) return;
      const counter = this.#next++;
      const bytes = await sealFrame(this.#keys.seal.client, counter, plain);
      this.#kept.push({ counter, bytes, weighs, at: Date.now() });
      if (this.#flowing) this.#wire?.send(bytes);
    });
    return this.#sealing;
  }

  /** One message from the connection. Messages of a connection that was left are not to be handed in. */
  receive(message: Bytes): void {
    if (this.#dead) return;
    if (isResume(message) === this.#greeted) {
      this.#inOrder(Promise.reject(new StreamError('stream_broken')));
      return;
    }
    if (isResume(message)) {
      this.#greeted = true;
      this.#inOrder(this.#resume(message));
      return;
    }
    const expected = this.#expected++;
    const opened = openFrame(this.#keys.seal.device, expected, message).then((plain) => {
      const part = readPlain(plain);
      return () => this.#take(part, expected, message.length);
    });
    this.#inOrder(opened);
  }

  /** Frames are opened side by side, and handled strictly one after the other. */
  #inOrder(ready: Promise<() => void | Promise<void>>): void {
    ready.catch(() => {});
    this.#opening = this.#opening.then(async () => {
      if (this.#dead) return;
      try {
        await (await ready)();
      } catch (error) {
        this.#break(error);
      }
    });
  }

  #break(error: unknown): void {
    const broken = error instanceof StreamError ? error : new StreamError('stream_broken');
    this.close(broken);
    this.#events.broken(broken);
  }

  async #resume(message: Bytes): Promise<() => void> {
    const { epoch, next } = await openResume(this.#keys.resume.device, message);
    return () => {
      if (epoch <= this.#otherEpoch) throw new StreamError('stream_broken');
      this.#otherEpoch = epoch;
      if (next < this.#acked) throw new StreamError('stream_broken');
      this.#release(next);
      // What is being sealed just now is kept when its turn comes, and sent then.
      for (const frame of this.#kept) {
        frame.at = Date.now();
        this.#wire?.send(frame.bytes);
      }
      this.#flowing = this.#wire !== undefined;
      this.#events.resumed();
    };
  }

  /** The other side has everything below `next`. An older word, sent again after a break, says nothing. */
  #release(next: bigint): void {
    if (next > this.#next) throw new StreamError('stream_broken');
    if (next <= this.#acked) return;
    this.#acked = next;
    const gone = this.#kept.filter((one) => one.counter < next);
    this.#kept = this.#kept.slice(gone.length);
    this.#weight -= gone.reduce((sum, one) => sum + one.weighs, 0);
    for (const tell of this.#room.splice(0)) tell();
  }

  async #take(part: Plain, counter: bigint, size: number): Promise<void> {
    if (part.type === 'ack') {
      this.#release(part.next);
      this.#consumed = counter + 1n;
      if (++this.#acksIn >= ACKS_UNTIL_ACK) this.#ack();
      return;
    }
    await this.#events.part(part);
    this.#consumed = counter + 1n;
    this.#unackedIn += size;
    if (this.#unackedIn >= this.#most / ACKS_PER_WINDOW) this.#ack();
    else this.#ackTimer ??= setTimeout(() => this.#ack(), ACK_AFTER_MS);
  }

  #ack(): void {
    clearTimeout(this.#ackTimer);
    this.#ackTimer = undefined;
    this.#unackedIn = 0;
    this.#acksIn = 0;
    if (!this.#dead) void this.#send(ackBytes(this.#consumed), 0);
  }
}
