import { expect, test } from 'vitest';
import { type Bytes, base64, concat, hex, sha256, utf8 } from './bytes';
import { originOf, readCheckpoint, signedBy } from './checkpoint';
import { leafHash, rootFrom } from './merkle';

const node = (left: Bytes, right: Bytes) => sha256(concat(Uint8Array.of(1), left, right));

function split(count: number): number {
  let power = 1;
  while (power * 2 < count) power *= 2;
  return power;
}

/** RFC 6962 section 2.1, written as the RFC says it. */
async function treeHash(leaves: Bytes[]): Promise<Bytes> {
  const [only] = leaves;
  if (leaves.length === 1 && only) return only;
  const at = split(leaves.length);
  return node(await treeHash(leaves.slice(0, at)), await treeHash(leaves.slice(at)));
}

async function auditPath(index: number, leaves: Bytes[]): Promise<Bytes[]> {
  if (leaves.length === 1) return [];
  const at = split(leaves.length);
  return index < at
    ? [...(await auditPath(index, leaves.slice(0, at))), await treeHash(leaves.slice(at))]
    : [...(await auditPath(index - at, leaves.slice(at))), await treeHash(leaves.slice(0, at))];
}

test('every entry of every small tree leads to its root, and a wrong place does not', async () => {
  const all = await Promise.all(Array.from({ length: 17 }, (_, at) => leafHash(utf8(`leaf ${at}`))));
  for (let size = 1; size <= all.length; size++) {
    const leaves = all.slice(0, size);
    const root = hex(await treeHash(leaves));
    for (const [index, leaf] of leaves.entries()) {
      const path = await auditPath(index, leaves);
      expect(hex(await rootFrom(leaf, index, size, path))).toBe(root);
      if (size > 1) {
        const wrong = await rootFrom(leaf, (index + 1) % size, size, path).then(hex, () => 'refused');
        expect(wrong).not.toBe(root);
      }
    }
  }
});

test('paths that are too short or too long are refused', async () => {
  const leaf = await leafHash(utf8('a'));
  await expect(rootFrom(leaf, 0, 2, [])).rejects.toThrow(RangeError);
  await expect(rootFrom(leaf, 0, 1, [leaf])).rejects.toThrow(RangeError);
  await expect(rootFrom(leaf, 3, 3, [])).rejects.toThrow(RangeError);
});

async function note(origin: string, body: string) {
  const pair = (await crypto.subtle.generateKey({ name: 'Ed25519' }, true, ['sign', 'verify'])) as CryptoKeyPair;
  const raw = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey));
  const hint = (await sha256(concat(utf8(`${origin}\n`), Uint8Array.of(1), raw))).subarray(0, 4);
  const signature = new Uint8Array(await crypto.subtle.sign({ name: 'Ed25519' }, pair.privateKey, utf8(body)));
  return { raw, text: `${body}\n— ${origin} ${base64(concat(hint, signature))}\n` };
}

test('a checkpoint is read and its signature checked under its own name and key alone', async () => {
  const origin = 'sallyport/ten_x';
  const root = base64(new Uint8Array(32));
  const { raw, text } = await note(origin, `${origin}\n42\n${root}\n`);
  expect(readCheckpoint(text)).toEqual({ origin, size: 42, root: new Uint8Array(32) });
  expect(await signedBy(text, origin, raw)).toBe(true);
  expect(await signedBy(text.replace('\n42\n', '\n43\n'), origin, raw)).toBe(false);
  expect(await signedBy(text, 'sallyport/ten_y', raw)).toBe(false);
  const other = await note(origin, `${origin}\n42\n${root}\n`);
  expect(await signedBy(text, origin, other.raw)).toBe(false);
  // Garbled ones are not signed, and no fault of whoever reads them.
  const garbled = [text.replace(/[A-Za-z0-9+/=]+\n$/, '%%%\n'), text.replace(/[A-Za-z0-9+/=]+\n$/, '\n'), text.slice(0, text.indexOf('\n\n')), `${origin}\nnonsense`, ''];
  expect(await Promise.all(garbled.map((one) => signedBy(one, origin, raw)))).toEqual(garbled.map(() => false));
  expect([text, `${origin}\nnonsense`, 'no line', ''].map(originOf)).toEqual([origin, origin, '', '']);
  expect(() => readCheckpoint('origin\nmany\nAAAA\n')).toThrow(TypeError);
});
