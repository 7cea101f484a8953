/** What travels: numbered, sealed frames, and the message by which each side says after a break where it stands. */

import { type Bytes, concat } from '$lib/crypto/bytes';
import { StreamError } from './errors';

const COUNTER = 8;
const TAG = 16;
/** Longest message that the server passes on. */
export const MESSAGE_BYTES = 64 * 1024;
const RESUME_MARK = 0xffff_ffff_ffff_ffffn;

export function be64(value: bigint): Bytes {
  const bytes = new Uint8Array(COUNTER);
  new DataView(bytes.buffer).setBigUint64(0, value);
  return bytes;
}

export const readBe64 = (bytes: Uint8Array, at = 0): bigint => new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(at);

const nonceOf = (counter: Bytes): Bytes => concat(new Uint8Array(4), counter);

/** counter || AES-256-GCM(nonce = 0000 || counter, aad = counter). */
export async function sealFrame(key: CryptoKey, counter: bigint, plain: Bytes): Promise<Bytes> {
  const number = be64(counter);
  const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv: nonceOf(number), additionalData: number }, key, plain);
  return concat(number, new Uint8Array(sealed));
}

/** Opens the frame that must carry this counter. Anything else ends the stream. */
export async function openFrame(key: CryptoKey, expected: bigint, frame: Bytes): Promise<Bytes> {
  if (frame.length < COUNTER + TAG + 1 || frame.length > MESSAGE_BYTES || readBe64(frame) !== expected) throw new StreamError('stream_broken');
  const number = frame.slice(0, COUNTER);
  return opened(key, nonceOf(number), frame.subarray(COUNTER), number);
}

export const isResume = (message: Uint8Array): boolean => message.length >= COUNTER && readBe64(message) === RESUME_MARK;

const resumeNonce = (epoch: Bytes): Bytes => concat(Uint8Array.of(0x72, 0x73, 0x6d, 0), epoch);

/** ff x 8 || epoch || AES-256-GCM(nonce = "rsm\0" || epoch, next expected counter). */
export async function sealResume(key: CryptoKey, epoch: bigint, next: bigint): Promise<Bytes> {
  const number = be64(epoch);
  const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv: resumeNonce(number) }, key, be64(next));
  return concat(be64(RESUME_MARK), number, new Uint8Array(sealed));
}

export async function openResume(key: CryptoKey, message: Bytes): Promise<{ epoch: bigint; next: bigint }> {
  if (message.length !== 3 * COUNTER + TAG || !isResume(message)) throw new StreamError('stream_broken');
  const number = message.slice(COUNTER, 2 * COUNTER);
  const plain = await opened(key, resumeNonce(number), message.subarray(2 * COUNTER));
  return { epoch: readBe64(number), next: readBe64(plain) };
}

async function opened(key: CryptoKey, iv: Bytes, sealed: Bytes, additionalData?: Bytes): Promise<Bytes> {
  try {
    return new Uint8Array(await crypto.subtle.decrypt({ name: 'AES-GCM', iv, ...(additionalData && { additionalData }) }, key, sealed));
  } catch {
    throw new StreamError('stream_broken');
  }
}
