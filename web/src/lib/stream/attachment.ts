/** One person's place in a remote session: dials, checks who answers, takes the stream up again after a break, and knows when it is over. */

import { Problem } from '$lib/api/problem';
import type { Bytes } from '$lib/crypto/bytes';
import { asBytes, checkAnswer, type CheckedGrant, sameBytes } from './answer';
import { StreamError } from './errors';
import { type ClientKey, streamKeys } from './keys';
import type { Control, Plain } from './plain';
import { Stream } from './stream';

export type Phase = 'connecting' | 'live' | 'reconnecting' | 'ended';

/** Why it is over: the device's word, the server's close code, or this browser's own finding. */
export type Reason = 'ended' | 'left' | 'revoked' | 'idle' | 'limit' | 'consent_refused' | 'machine' | 'lost' | 'unreachable' | 'broken';

const REASONS = new Set<string>(['ended', 'revoked', 'idle', 'limit', 'consent_refused', 'machine']);

/** What a browser's WebSocket has, as far as it is used. */
export interface Socket {
  binaryType: string;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
  send(bytes: Bytes): void;
  close(): void;
}

export interface Dialling {
  dial(ticket: string): Socket;
  /** A new one-use ticket for the same grant. */
  renew(): Promise<string>;
}

export interface Handlers {
  control(message: Control): void | Promise<void>;
  data(channel: number, bytes: Bytes): void | Promise<void>;
  changed(): void;
}

const CLOSED: Record<number, Reason> = { 4001: 'revoked', 4002: 'ended', 4004: 'limit' };
/** The device keeps a session without attachments for five minutes. */
export const KEPT_MS = 5 * 60_000;
const FIRST_MS = 20_000;
const ANSWER_MS = 12_000;
/** A message that nobody acknowledges for so long means a dead link. */
const SILENT_MS = 12_000;
/** What the device said right before the end is still read for so long. */
const LAST_WORDS_MS = 500;
const WAITS_MS = [150, 400, 900, 1800, 3000, 5000];

export class Attachment {
  phase: Phase = 'connecting';
  reason: Reason | undefined;
  problem: Problem | undefined;
  fingerprint = '';
  /** When the link was lost, in milliseconds since 1970. */
  lostAt = 0;

  readonly grant: CheckedGrant;
  readonly #key: ClientKey;
  readonly #dialling: Dialling;
  readonly #handlers: Handlers;
  #socket: Socket | undefined;
  #answer: Bytes | undefined;
  #stream: Stream | undefined;
  #inbox: Promise<void> = Promise.resolve();
  #attempt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #answerTimer: ReturnType<typeof setTimeout> | undefined;
  #pulse: ReturnType<typeof setInterval> | undefined;
  #started = Date.now();

  constructor(grant: CheckedGrant, key: ClientKey, dialling: Dialling, handlers: Handlers) {
    this.grant = grant;
    this.#key = key;
    this.#dialling = dialling;
    this.#handlers = handlers;
  }

  start(ticket: string): void {
    this.#started = Date.now();
    this.#pulse = setInterval(() => this.#feel(), 3000);
    this.#dial(ticket);
  }

  async control(message: Control): Promise<void> {
    if (!this.#stream) throw new StreamError(this.phase === 'ended' ? 'ended' : 'unreachable');
    await this.#stream.control(message);
  }

  async data(channel: number, bytes: Uint8Array): Promise<void> {
    if (!this.#stream) throw new StreamError(this.phase === 'ended' ? 'ended' : 'unreachable');
    await this.#stream.data(channel, bytes);
  }

  /** Leaves: the session itself stays, for others and for a while. */
  leave(reason: Reason = 'left'): void {
    this.#end(reason);
  }

  /** Tries at once, for example when the computer is back on the network. */
  hurry(): void {
    if (this.phase !== 'reconnecting') return;
    clearTimeout(this.#timer);
    this.#attempt = 0;
    void this.#again();
  }

  /** The network is known to be gone: no need to wait for the socket to notice. */
  cut(): void {
    if (this.phase === 'live') this.#lost(this.#socket);
  }

  #dial(ticket: string): void {
    const socket = this.#dialling.dial(ticket);
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    let first = true;
    socket.onmessage = ({ data }) => {
      const message = asBytes(data as string | ArrayBuffer);
      const answers = first;
      first = false;
      this.#inbox = this.#inbox.then(() => this.#hear(socket, message, answers));
    };
    socket.onclose = ({ code }) => {
      // What came before the end counts: it may say why.
      this.#inbox = this.#inbox.then(() => this.#closed(socket, code));
    };
    this.#answerTimer = setTimeout(() => this.#lost(socket), ANSWER_MS);
  }

  async #hear(socket: Socket, message: Bytes, answers: boolean): Promise<void> {
    if (this.#socket !== socket || this.phase === 'ended') return;
    try {
      if (answers) await this.#answered(socket, message);
      else this.#stream?.receive(message);
    } catch (error) {
      this.#broken(error instanceof StreamError ? error : new StreamError('stream_broken'));
    }
  }

  async #answered(socket: Socket, message: Bytes): Promise<void> {
    clearTimeout(this.#answerTimer);
    if (this.#answer && this.#stream) {
      if (!sameBytes(this.#answer, message)) throw new StreamError('answer_forged');
    } else {
      const deviceKey = await checkAnswer(message, this.grant, this.#key);
      const keys = await streamKeys(this.#key, deviceKey, this.grant.bound);
      this.#answer = message;
      this.fingerprint = keys.fingerprint;
      this.#stream = new Stream(keys, this.grant.kind, {
        part: (part) => this.#part(part),
        broken: (error) => this.#broken(error),
        resumed: () => this.#resumed(),
      });
    }
    if (this.#socket === socket) await this.#stream?.attach(socket);
  }

  #resumed(): void {
    this.#attempt = 0;
    this.phase = 'live';
    this.#handlers.changed();
  }

  #part(part: Exclude<Plain, { type: 'ack' }>): void | Promise<void> {
    if (part.type === 'data') return this.#handlers.data(part.channel, part.bytes);
    if (part.message.t === 'bye') return this.#end(reasonOf(part.message.reason));
    return this.#handlers.control(part.message);
  }

  #feel(): void {
    if ((this.#stream?.waiting(Date.now()) ?? 0) > SILENT_MS) this.#lost(this.#socket);
  }

  async #closed(socket: Socket, code: number): Promise<void> {
    if (this.#socket !== socket || this.phase === 'ended') return;
    const reason = CLOSED[code];
    if (reason && reason !== 'revoked') await Promise.race([this.#stream?.handled(), new Promise((late) => setTimeout(late, LAST_WORDS_MS))]);
    if (reason) this.#end(reason);
    else this.#lost(socket);
  }

  #lost(socket: Socket | undefined): void {
    if (!socket || this.#socket !== socket || this.phase === 'ended') return;
    clearTimeout(this.#answerTimer);
    this.#socket = undefined;
    socket.close();
    this.#stream?.detach();
    if (this.phase === 'live') {
      this.lostAt = Date.now();
      this.phase = 'reconnecting';
      this.#handlers.changed();
    }
    this.#later();
  }

  #later(): void {
    const since = this.phase === 'reconnecting' ? this.lostAt + KEPT_MS : this.#started + FIRST_MS;
    if (Date.now() > since) {
      this.#end(this.phase === 'reconnecting' ? 'lost' : 'unreachable');
      return;
    }
    const wait = WAITS_MS[Math.min(this.#attempt++, WAITS_MS.length - 1)] ?? 0;
    this.#timer = setTimeout(() => void this.#again(), wait * (0.75 + Math.random() / 2));
  }

  async #again(): Promise<void> {
    if (this.#socket || this.phase === 'ended') return;
    try {
      const ticket = await this.#dialling.renew();
      if (!this.#socket && !this.#over()) this.#dial(ticket);
    } catch (error) {
      if (this.#over()) return;
      if (isFinal(error)) this.#end(error.status === 401 ? 'revoked' : 'ended');
      else this.#later();
    }
  }

  #over(): boolean {
    return this.phase === 'ended';
  }

  #broken(error: StreamError): void {
    this.problem = error;
    this.#end('broken');
  }

  #end(reason: Reason): void {
    if (this.phase === 'ended') return;
    this.phase = 'ended';
    this.reason = reason;
    for (const timer of [this.#timer, this.#answerTimer]) clearTimeout(timer);
    clearInterval(this.#pulse);
    const socket = this.#socket;
    this.#socket = undefined;
    this.#stream?.close(this.problem instanceof StreamError ? this.problem : undefined);
    socket?.close();
    this.#handlers.changed();
  }
}

/** The server knows that there is nothing to come back to; a device that is away for a moment, it expects. */
const isFinal = (error: unknown): error is Problem =>
  error instanceof Problem && error.status >= 400 && error.status < 500 && error.status !== 429 && error.code !== 'device_offline';

const reasonOf = (said: unknown): Reason => (typeof said === 'string' && REASONS.has(said) ? (said as Reason) : 'ended');
