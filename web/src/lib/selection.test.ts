import { expect, test } from 'vitest';
import { Selection } from './selection.svelte';

const IDS = ['a', 'b', 'c', 'd', 'e'];
const made = () => new Selection((at) => IDS[at], () => IDS.length);

test('j and k move within the list', () => {
  const selection = made();
  selection.move(1);
  expect(selection.cursor).toBe(0);
  selection.move(-1);
  expect(selection.cursor).toBe(0);
  for (let times = 0; times < 9; times++) selection.move(1);
  expect(selection.cursor).toBe(4);
});

test('x flips a row, and with Shift everything from the last flipped one', () => {
  const selection = made();
  selection.flip(1, false);
  selection.flip(3, true);
  expect([...selection.chosen].sort()).toEqual(['b', 'c', 'd']);
  selection.flip(2, true);
  expect([...selection.chosen].sort()).toEqual(['b']);
});

test('a row that is not loaded cannot be chosen', () => {
  const selection = made();
  selection.flip(9, false);
  selection.flip(-1, false);
  expect(selection.chosen.size).toBe(0);
});

test('clearing leaves the cursor, a new filter does not', () => {
  const selection = made();
  selection.choose(IDS);
  selection.move(1);
  selection.clear();
  expect([selection.chosen.size, selection.cursor]).toEqual([0, 0]);
  selection.reset();
  expect(selection.cursor).toBe(-1);
});
