/** What is inside of a frame: one byte of type, then the payload. */

import { type Bytes, concat, utf8 } from '$lib/crypto/bytes';
import { StreamError } from './errors';
import { be64, readBe64 } from './frames';

/** Longest control message and longest piece of data. */
export const PART_BYTES = 32 * 1024;

export type Control = { t: string } & Record<string, unknown>;

export type Plain = { type: 'ack'; next: bigint } | { type: 'control'; message: Control } | { type: 'data'; channel: number; bytes: Bytes };

export const ackBytes = (next: bigint): Bytes => concat(Uint8Array.of(0), be64(next));

export function controlBytes(message: Control): Bytes {
  const text = utf8(JSON.stringify(message));
  if (text.length > PART_BYTES) throw new StreamError('too_long');
  return concat(Uint8Array.of(1), text);
}

export function dataBytes(channel: number, bytes: Uint8Array): Bytes {
  if (bytes.length > PART_BYTES) throw new StreamError('too_long');
  const head = new Uint8Array(5);
  head[0] = 2;
  new DataView(head.buffer).setUint32(1, channel);
  return concat(head, bytes);
}

export function readPlain(plain: Bytes): Plain {
  const body = plain.subarray(1);
  if (plain[0] === 0 && body.length === 8) return { type: 'ack', next: readBe64(body) };
  if (plain[0] === 1 && body.length <= PART_BYTES) return { type: 'control', message: controlFrom(body) };
  if (plain[0] === 2 && body.length >= 4 && body.length <= PART_BYTES + 4) {
    const channel = new DataView(body.buffer, body.byteOffset).getUint32(0);
    return { type: 'data', channel, bytes: body.subarray(4) };
  }
  throw new StreamError('stream_broken');
}

function controlFrom(body: Bytes): Control {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
    if (typeof value === 'object' && value !== null && 't' in value && typeof value.t === 'string') return value as Control;
  } catch {
    // Told below.
  }
  throw new StreamError('stream_broken');
}
