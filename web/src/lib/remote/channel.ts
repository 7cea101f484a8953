/** A screen's bytes in the shape of a data channel: noVNC takes it for a socket, while it is the encrypted stream. */

import type { Bytes } from '$lib/crypto/bytes';

export class ScreenChannel {
  binaryType = 'arraybuffer';
  protocol = '';
  readyState: 'connecting' | 'open' | 'closed' = 'open';
  onopen: ((event: Event) => void) | null = null;
  onmessage: ((event: { data: ArrayBuffer }) => void) | null = null;
  onclose: ((event: { code: number; reason: string; wasClean: boolean }) => void) | null = null;
  onerror: ((event: Event) => void) | null = null;
  readonly #send: (bytes: Bytes) => Promise<void>;
  #sending: Promise<void> = Promise.resolve();
  #early: Bytes[] = [];

  constructor(send: (bytes: Bytes) => Promise<void>) {
    this.#send = send;
  }

  /** Bytes are copied: noVNC uses its buffer again at once. What is sent stays in order. */
  send(data: ArrayBuffer | Uint8Array): void {
    const bytes = new Uint8Array(data instanceof ArrayBuffer ? data.slice(0) : data.slice()) as Bytes;
    this.#sending = this.#sending.then(() => this.#send(bytes)).catch(() => this.close());
  }

  /** Bytes from the device. They may come before noVNC listens. */
  receive(bytes: Bytes): void {
    if (!this.onmessage) {
      this.#early.push(bytes.slice());
      return;
    }
    const data = bytes.slice().buffer;
    this.onmessage({ data });
  }

  /** Hands over what came early. */
  listenedTo(): void {
    for (const bytes of this.#early.splice(0)) this.receive(bytes);
  }

  close(): void {
    if (this.readyState === 'closed') return;
    this.readyState = 'closed';
    this.onclose?.({ code: 1000, reason: '', wasClean: true });
  }
}
