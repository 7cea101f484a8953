/** Shows in this browser that an entry is under a signed checkpoint. */

import * as api from '$lib/api/routes';
import type { InclusionProof, Trust } from '$lib/api/types';
import { type Checkpoint, originOf, readCheckpoint, signedBy } from '$lib/crypto/checkpoint';
import { fromBase64, fromHex, hex } from '$lib/crypto/bytes';
import { type PathStep, rootFrom, sidesOf } from '$lib/crypto/merkle';

export interface Verdict {
  /** The path leads from the entry to the checkpoint's root. */
  included: boolean;
  /** The checkpoint is signed by the log's key, as the trust root names it. */
  signed: boolean;
  /** The checkpoint cannot even be read: nothing is shown by it. */
  garbled?: boolean;
  steps: PathStep[];
  size: number;
  root: string;
}

function logKey(trust: Trust): { origin: string; key: string } {
  const { payload } = JSON.parse(trust.root_envelope) as { payload: string };
  return (JSON.parse(new TextDecoder().decode(fromBase64(payload))) as { log: { origin: string; key: string } }).log;
}

function read(note: string): Checkpoint | undefined {
  try {
    return readCheckpoint(note);
  } catch {
    return undefined;
  }
}

async function judge(proof: InclusionProof, trust: Trust): Promise<Verdict> {
  const note = read(proof.checkpoint.note);
  if (!note) return { included: false, signed: false, garbled: true, steps: [], size: proof.checkpoint.size, root: proof.checkpoint.root };
  const path = proof.hashes.map(fromHex);
  let [steps, included]: [PathStep[], boolean] = [[], false];
  try {
    steps = sidesOf(proof.index, note.size, path);
    included = hex(await rootFrom(fromHex(proof.leaf), proof.index, note.size, path)) === hex(note.root);
  } catch (error) {
    // A path that no tree of this size has leads nowhere, which is what is to be said.
    if (!(error instanceof RangeError)) throw error;
  }
  const log = logKey(trust);
  const signed = note.origin === log.origin && (await signedBy(proof.checkpoint.note, log.origin, fromHex(log.key)));
  return { included, signed, steps, size: note.size, root: hex(note.root) };
}

export async function verifyEntry(index: number): Promise<Verdict> {
  const [proof, trust] = await Promise.all([api.auditProof(index), api.trust()]);
  return judge(proof, trust);
}

/** The newest checkpoint's own signature. What is garbled is not signed: that is a finding about the log, and no fault of this page. */
export async function verifyCheckpoint(note: string): Promise<boolean> {
  const log = logKey(await api.trust());
  return originOf(note) === log.origin && signedBy(note, log.origin, fromHex(log.key));
}
