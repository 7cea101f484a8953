/** RFC 6962 inclusion, checked in the browser. */

import { type Bytes, concat, sha256 } from './bytes';

const node = (left: Bytes, right: Bytes) => sha256(concat(Uint8Array.of(1), left, right));

export const leafHash = (data: Bytes): Promise<Bytes> => sha256(concat(Uint8Array.of(0), data));

export interface PathStep {
  side: 'left' | 'right';
  hash: Bytes;
}

/** The sides of an audit path: RFC 9162 section 2.1.3.2, walked once. */
export function sidesOf(index: number, size: number, path: Bytes[]): PathStep[] {
  if (index < 0 || index >= size) throw new RangeError('the entry is outside of the tree');
  const steps: PathStep[] = [];
  let at = index;
  let last = size - 1;
  for (const hash of path) {
    if (last === 0) throw new RangeError('the path is longer than the tree is high');
    if (at % 2 === 1 || at === last) {
      steps.push({ side: 'left', hash });
      while (at % 2 === 0 && at !== 0) [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
    } else {
      steps.push({ side: 'right', hash });
    }
    [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
  }
  if (last !== 0) throw new RangeError('the path is shorter than the tree is high');
  return steps;
}

export async function rootFrom(leaf: Bytes, index: number, size: number, path: Bytes[]): Promise<Bytes> {
  let hash = leaf;
  for (const step of sidesOf(index, size, path)) {
    hash = step.side === 'left' ? await node(step.hash, hash) : await node(hash, step.hash);
  }
  return hash;
}
