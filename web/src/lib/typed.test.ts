import { expect, test } from 'vitest';
import { digitsOf, isWhole, untilNextCode } from './code';
import { codesFile, groupedCode, isRecoveryCode, plainCode } from './recovery';
import { tokenIn } from './token';

test.each([
  ['482913', '482913'],
  ['482 913', '482913'],
  [' 482-913\n', '482913'],
  ['your code is 482913.', '482913'],
  ['４８２９１３', '482913'],
  ['٤٨٢٩١٣', '482913'],
  ['4829137', '482913'],
  ['abc', ''],
])('the code field takes %j as %j', (typed, digits) => {
  expect(digitsOf(typed)).toBe(digits);
});

test('six digits are a whole code', () => {
  expect(isWhole('48291')).toBe(false);
  expect(isWhole('482913')).toBe(true);
});

test('the next code comes with the next step of 30 s', () => {
  expect(untilNextCode(0)).toBe(30);
  expect(untilNextCode(29_999)).toBe(1);
  expect(untilNextCode(30_000)).toBe(30);
});

const CODE = '7K2M9QX40000ABCDEFGHJKMN';

test('recovery codes are shown in groups of four and read back however they were typed', () => {
  const shown = groupedCode(CODE.toLowerCase());
  expect(shown).toBe('7K2M-9QX4-0000-ABCD-EFGH-JKMN');
  for (const typed of [shown, shown.toLowerCase(), shown.replaceAll('-', ' '), shown.replaceAll('0', 'o'), ` ${CODE}\n`]) {
    expect(plainCode(typed)).toBe(CODE);
    expect(isRecoveryCode(typed)).toBe(true);
  }
  expect(isRecoveryCode('482913')).toBe(false);
  expect(isRecoveryCode(`${CODE}A`)).toBe(false);
});

test('rec_11 the file holds every code once, with whose they are', () => {
  const file = codesFile([CODE, CODE.replace('7', '8')], 'ada@example.org', 'rmm.example', new Date(0));
  expect(file.match(/7K2M-9QX4-0000-ABCD-EFGH-JKMN/g)).toHaveLength(1);
  expect(file).toContain('ada@example.org at rmm.example, made 1970-01-01');
});

test.each([
  ['https://rmm.example/setup#abc123', 'abc123'],
  ['#abc123', 'abc123'],
  ['  abc123 ', 'abc123'],
  ['', ''],
])('the set-up link %j has the token %j', (pasted, token) => {
  expect(tokenIn(pasted)).toBe(token);
});
