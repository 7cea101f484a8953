import { expect, test } from 'vitest';
import { digestsIn, hostsIn, isVersion } from './licences';

const DIGEST = 'ab'.repeat(32);
const KEY = `02${'cd'.repeat(32)}`;

test('digests are read as sha256sum prints them, each once', () => {
  expect(digestsIn(`${DIGEST}  report\n\n${DIGEST.toUpperCase()}\n${'01'.repeat(32)}`)).toEqual([DIGEST, '01'.repeat(32)]);
  expect(digestsIn(`${DIGEST}0\nabc`)).toEqual([]);
});

test('hosts are a name and a key of a kind', () => {
  expect(hostsIn(`build-1 tpm:${KEY}\nDesk of Nora = file:${KEY.replace('02', '03')}`)).toEqual([
    { name: 'build-1', kind: 'tpm', key: KEY },
    { name: 'Desk of Nora', kind: 'file', key: KEY.replace('02', '03') },
  ]);
  expect(hostsIn(`build-1 usb:${KEY}`)).toBeUndefined();
  expect(hostsIn(`tpm:${KEY}`)).toBeUndefined();
  expect(hostsIn(`build-1 tpm:${KEY}\nand another`)).toBeUndefined();
  expect(hostsIn('  \n')).toBeUndefined();
});

test.each([
  ['1', true],
  ['2.14.0', true],
  ['1.2.3.4', true],
  ['1.2.3.4.5', false],
  ['01', false],
  ['v1', false],
  ['', false],
])('%s is a version: %s', (typed, is) => {
  expect(isVersion(typed)).toBe(is);
});
