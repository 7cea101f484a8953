import { expect, test } from 'vitest';
import { hex, sha256, utf8 } from './bytes';
import { Sha256 } from './sha256';

test.each([0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 128, 1000, 70_000])('%i bytes have the digest that the platform computes', async (length) => {
  const bytes = Uint8Array.from({ length }, (_, at) => (at * 31) & 255);
  expect(hex(new Sha256().update(bytes).digest())).toBe(hex(await sha256(bytes)));
});

test('it does not matter how the bytes are cut', async () => {
  const bytes = Uint8Array.from({ length: 5000 }, (_, at) => (at * 7) & 255);
  for (const size of [1, 3, 64, 100, 4999]) {
    const sum = new Sha256();
    for (let at = 0; at < bytes.length; at += size) sum.update(bytes.subarray(at, at + size));
    expect(hex(sum.digest())).toBe(hex(await sha256(bytes)));
  }
});

test('the example of the standard', () => {
  expect(hex(new Sha256().update(utf8('abc')).digest())).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
});
