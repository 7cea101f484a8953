import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { FILTER_KINDS, kindOf } from './kinds';

/** Every kind that the server has a sentence for. */
const WRITTEN = [...readFileSync(new URL('../../../../shell/server/src/audit/sentence.rs', import.meta.url), 'utf8').matchAll(/^ +\("([a-z_]+\.[a-z_]+)[":]/gm)].map(([, kind = '']) => kind);

test('every entry of the log has a word for people beside it, and no name of a program', () => {
  expect(WRITTEN.length).toBeGreaterThan(100);
  const raw = WRITTEN.filter((kind) => !/^[A-Z][A-Za-z -]+$/.test(kindOf(kind).tag));
  expect(raw).toEqual([]);
});

test('filters are about kinds that are written', () => {
  expect(FILTER_KINDS.map(({ value }) => value).filter((kind) => !WRITTEN.includes(kind))).toEqual([]);
});
