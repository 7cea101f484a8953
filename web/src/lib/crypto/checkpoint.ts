/** A C2SP signed note with a checkpoint: read, and checked against the log's key. */

import { type Bytes, base64, concat, fromBase64, sha256, utf8 } from './bytes';

const ED25519 = 1;

export interface Checkpoint {
  origin: string;
  size: number;
  root: Bytes;
}

export function readCheckpoint(note: string): Checkpoint {
  const [origin, size, root] = note.split('\n');
  if (!origin || !size || !root || !/^[0-9]+$/.test(size)) throw new TypeError('not a checkpoint');
  return { origin, size: Number(size), root: fromBase64(root) };
}

/** Which log a note claims to be of, however garbled the rest is. */
export const originOf = (note: string): string => note.slice(0, Math.max(0, note.indexOf('\n')));

function decoded(blob: string): Bytes | undefined {
  try {
    return fromBase64(blob);
  } catch {
    return undefined;
  }
}

/** True where a signature line of `name` verifies under the raw Ed25519 `key`. */
export async function signedBy(note: string, name: string, key: Bytes): Promise<boolean> {
  const end = note.indexOf('\n\n');
  if (end < 0) return false;
  const text = utf8(note.slice(0, end + 1));
  const hint = (await sha256(concat(utf8(`${name}\n`), Uint8Array.of(ED25519), key))).subarray(0, 4);
  const verifier = await crypto.subtle.importKey('raw', key, { name: 'Ed25519' }, false, ['verify']);
  for (const line of note.slice(end + 2).split('\n')) {
    const [dash, who, blob] = line.split(' ');
    if (dash !== '—' || who !== name || !blob) continue;
    const bytes = decoded(blob);
    if (!bytes || base64(bytes.subarray(0, 4)) !== base64(hint)) continue;
    if (await crypto.subtle.verify({ name: 'Ed25519' }, verifier, bytes.subarray(4), text)) return true;
  }
  return false;
}
