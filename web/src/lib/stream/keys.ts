/** Keys of one stream: two ephemeral X25519 keys and the grant's digest give one key for each direction (RFC 7748, RFC 5869). */

import { type Bytes, concat, hex, sha256, utf8 } from '$lib/crypto/bytes';
import { StreamError } from './errors';

const AES = { name: 'AES-GCM', length: 256 } as const;

export interface ClientKey {
  /** 32 bytes, as the grant names them. */
  publicHex: string;
  public: Bytes;
  /** Cannot be exported; it goes with the page. */
  private: CryptoKey;
}

/** Who seals: this browser, or the device. */
export type Side = 'client' | 'device';

export interface StreamKeys {
  seal: Record<Side, CryptoKey>;
  resume: Record<Side, CryptoKey>;
  /** Eight bytes that two people can compare; they say nothing about the keys. */
  fingerprint: string;
}

/** Makes the key for one grant, and says clearly where this browser cannot. */
export async function makeClientKey(): Promise<ClientKey> {
  if (!(await streamsWork())) throw new StreamError('unsupported');
  const pair = (await crypto.subtle.generateKey({ name: 'X25519' }, false, ['deriveBits'])) as CryptoKeyPair;
  const raw = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey));
  return { publicHex: hex(raw), public: raw, private: pair.privateKey };
}

let works: Promise<boolean> | undefined;

/** Whether this browser has the two curves. Asked once. */
export function streamsWork(): Promise<boolean> {
  works ??= tried();
  return works;
}

async function tried(): Promise<boolean> {
  try {
    await crypto.subtle.generateKey({ name: 'X25519' }, false, ['deriveBits']);
    await crypto.subtle.importKey('raw', new Uint8Array(32), { name: 'Ed25519' }, false, ['verify']);
    return true;
  } catch {
    return false;
  }
}

/** Every key of the stream. `bound` is SHA-256 of the grant's pre-authentication encoding. */
export async function streamKeys(own: ClientKey, deviceKey: Bytes, bound: Bytes): Promise<StreamKeys> {
  const shared = await sharedSecret(own.private, deviceKey);
  const root = await crypto.subtle.importKey('raw', shared, 'HKDF', false, ['deriveKey', 'deriveBits']);
  shared.fill(0);
  const info = (label: string) => concat(utf8(`sallyport.stream/1 ${label}`), own.public, deviceKey);
  const key = (label: string) =>
    crypto.subtle.deriveKey({ name: 'HKDF', hash: 'SHA-256', salt: bound, info: info(label) }, root, AES, false, ['encrypt', 'decrypt']);
  const [client, device, resumeClient, resumeDevice] = await Promise.all([key('client'), key('device'), key('resume client'), key('resume device')]);
  const print = await sha256(concat(bound, own.public, deviceKey));
  return {
    seal: { client, device },
    resume: { client: resumeClient, device: resumeDevice },
    fingerprint: hex(print.subarray(0, 8)),
  };
}

/** RFC 7748 section 6.1: a secret of zeros only comes from a key that was chosen for it. */
async function sharedSecret(own: CryptoKey, other: Bytes): Promise<Bytes> {
  try {
    const key = await crypto.subtle.importKey('raw', other, { name: 'X25519' }, false, []);
    const shared = new Uint8Array(await crypto.subtle.deriveBits({ name: 'X25519', public: key }, own, 256));
    if (shared.some((byte) => byte !== 0)) return shared;
  } catch {
    // Told below in the same words.
  }
  throw new StreamError('answer_forged');
}
