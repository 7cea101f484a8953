/** Grants and answers as this browser reads them: strict JSON in DSSE envelopes. */

import { type Bytes, base64, concat, fromBase64, fromHex, hex, sha256, utf8 } from '$lib/crypto/bytes';
import { preAuthEncoding } from '$lib/crypto/authority';
import { leafHash } from '$lib/crypto/merkle';

export const GRANT_TYPE = 'application/vnd.sallyport.grant.v1+json';
export const ANSWER_TYPE = 'application/vnd.sallyport.answer.v1+json';

/** A grant stays below this, an answer far below. */
const ENVELOPE_CHARS = 1024 * 1024;
const CROCKFORD = '0123456789abcdefghjkmnpqrstvwxyz';

export interface Envelope {
  payload: Bytes;
  signatures: { keyid: string; sig: Bytes }[];
}

/** Throws a TypeError or SyntaxError where the text is no envelope of that type. */
export function readEnvelope(text: string, type: string): Envelope {
  if (text.length > ENVELOPE_CHARS) throw new TypeError('the envelope is too long');
  const raw = JSON.parse(text) as { payloadType?: unknown; payload?: unknown; signatures?: unknown };
  if (raw.payloadType !== type || typeof raw.payload !== 'string' || !Array.isArray(raw.signatures)) throw new TypeError('not an envelope of this type');
  const payload = exactBase64(raw.payload);
  const signatures = raw.signatures.map((one: { keyid?: unknown; sig?: unknown }) => ({ keyid: string(one.keyid), sig: exactBase64(string(one.sig)) }));
  return { payload, signatures };
}

/** What is signed, and what the keys of a stream are bound to. */
export const boundTo = (grant: Envelope): Promise<Bytes> => sha256(preAuthEncoding(GRANT_TYPE, grant.payload));

/** True where the raw Ed25519 `key` signed it. */
export async function signedWith(envelope: Envelope, type: string, key: Bytes): Promise<boolean> {
  const verifier = await crypto.subtle.importKey('raw', key, { name: 'Ed25519' }, false, ['verify']);
  const covered = preAuthEncoding(type, envelope.payload);
  for (const { sig } of envelope.signatures) {
    if (await crypto.subtle.verify({ name: 'Ed25519' }, verifier, sig, covered)) return true;
  }
  return false;
}

/** The leaf of one device among a grant's targets, as `pure/grant/src/targets.rs` hashes it. */
export async function targetLeaf(tenant: string, thumbprint: string): Promise<string> {
  const hash = await leafHash(concat(utf8('sallyport.target/1\n'), idBytes(tenant), fromHex(thumbprint)));
  return hex(hash);
}

/** The 16 bytes behind `ten_` and 26 digits of Crockford's base32. */
export function idBytes(id: string): Bytes {
  const digits = id.slice(id.indexOf('_') + 1);
  if (digits.length !== 26) throw new TypeError('not an id');
  let value = 0n;
  for (const digit of digits) {
    const at = CROCKFORD.indexOf(digit);
    if (at < 0) throw new TypeError('not an id');
    value = (value << 5n) | BigInt(at);
  }
  if (value >> 128n) throw new TypeError('not an id');
  return fromHex(value.toString(16).padStart(32, '0'));
}

/** JSON of an object with exactly these keys; whoever adds one speaks another version. */
export function exactObject(payload: Bytes, keys: string[]): Record<string, unknown> {
  const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError('not an object');
  const have = Object.keys(value);
  if (have.length !== keys.length || keys.some((key) => !(key in value))) throw new TypeError('other fields than expected');
  return value as Record<string, unknown>;
}

/** Canonical base64 only: one text for one value. */
function exactBase64(text: string): Bytes {
  const bytes = fromBase64(text);
  if (base64(bytes) !== text) throw new TypeError('not canonical base64');
  return bytes;
}

function string(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError('not a text');
  return value;
}
