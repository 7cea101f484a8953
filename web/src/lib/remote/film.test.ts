import { expect, test } from 'vitest';
import { blocksUntil, readFilm, withoutStills } from './film';

const block = (text: string, ms: number): number[] => {
  const bytes = [...new TextEncoder().encode(text)];
  const word = (value: number) => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
  return [...word(bytes.length), ...bytes, ...Array<number>((4 - (bytes.length % 4)) % 4).fill(0), ...word(ms)];
};
const film = (...blocks: number[][]) => Uint8Array.from([...new TextEncoder().encode('FBS 001.000\n'), ...blocks.flat()]);
const texts = (whole: Uint8Array) => readFilm(whole).blocks.map(({ at, bytes }) => [at, new TextDecoder().decode(bytes)]);

test('blocks are read with their moments, whatever their padding', () => {
  const whole = film(block('RFB 003.008\n', 0), block('abcde', 1500), block('f', 2000));
  expect(texts(whole)).toEqual([[0, 'RFB 003.008\n'], [1.5, 'abcde'], [2, 'f']]);
  expect(readFilm(whole)).toMatchObject({ length: 2, cut: false });
});

test('time never goes back, and an interrupted file is played as far as it goes', () => {
  const whole = film(block('a', 3000), block('b', 1000), block('cdef', 4000));
  expect(texts(whole.subarray(0, whole.length - 2))).toEqual([[3, 'a'], [3, 'b']]);
  expect(readFilm(whole.subarray(0, whole.length - 2)).cut).toBe(true);
});

test('what is no recording is said to be none', () => {
  expect(() => readFilm(new TextEncoder().encode('{"version": 2}'))).toThrow(TypeError);
  expect(readFilm(film())).toEqual({ blocks: [], length: 0, opening: 0, cut: false });
});

test('a moment has the blocks up to it, and pauses can be left out', () => {
  const read = readFilm(film(block('a', 0), block('b', 1000), block('c', 1000), block('d', 61_000)));
  expect([-1, 0, 0.5, 1, 60, 61, 99].map((at) => blocksUntil(read, at))).toEqual([0, 1, 1, 3, 3, 4, 4]);
  expect(withoutStills(read, 2).blocks.map(({ at }) => at)).toEqual([0, 1, 1, 3]);
});

test('moments without pauses are whole milliseconds', () => {
  const read = readFilm(film(block('a', 100), block('b', 300), block('c', 5000), block('d', 5700), block('e', 6400), block('f', 7100)));
  expect(withoutStills(read, 2).blocks.map(({ at }) => at)).toEqual([0.1, 0.3, 2.3, 3, 3.7, 4.4]);
});

test('the first picture comes behind what a server says before it', () => {
  const init = `${'x'.repeat(20)}\0\0\0\u0003all`;
  const read = readFilm(film(block('RFB 003.008\n', 0), block('\u0001\u0001\0\0\0\0', 10), block(init, 900), block('a picture', 7000), block('another', 9000)));
  expect(read.opening).toBeCloseTo(7.2);
  expect(withoutStills(read, 2).opening).toBeCloseTo(3.1);
});
