import { expect, test } from 'vitest';
import { groupedUserCode, isUserCode } from './usercode';

test.each([
  ['WDJBMJHT', 'WDJB-MJHT'],
  ['wdjb-mjht', 'WDJB-MJHT'],
  [' wdjb mjht\n', 'WDJB-MJHT'],
  ['ＷＤＪＢ', 'WDJB'],
  ['WDJB-M', 'WDJB-M'],
  ['WDJBMJHTX', 'WDJB-MJHT'],
  ['a1e-Y', ''],
])('the field takes %j as %j', (typed, shown) => {
  expect(groupedUserCode(typed)).toBe(shown);
});

test('OA-21 eight letters are a whole code', () => {
  expect(isUserCode('WDJB-MJH')).toBe(false);
  expect(isUserCode('WDJB-MJHT')).toBe(true);
});
