import { expect, test } from 'vitest';
import { findInCast, readCast, sizeOf, withoutPauses } from './cast';

const FILE = [
  '{"version":2,"width":100,"height":30,"timestamp":1763776000,"title":"web-01"}',
  '[0.5,"o","\\u001b[32mroot@web-01\\u001b[0m:~# "]',
  '[1.0,"i","df -h\\r"]',
  '[61.0,"o","df -h\\r\\nFilesystem  Size\\r\\n/dev/vdb1   60G\\r\\n"]',
  '[62.0,"r","120x40"]',
].join('\n');

test('a recording is read with its size and its moments', () => {
  const cast = readCast(FILE);
  expect([cast.columns, cast.rows, cast.length, cast.cut, cast.events.length]).toEqual([100, 30, 62, false, 4]);
  expect(sizeOf(cast.events[3]!)).toEqual({ columns: 120, rows: 40 });
});

test('long pauses are shortened, short ones stay', () => {
  expect(withoutPauses(readCast(FILE), 2).events.map((event) => event.at)).toEqual([0.5, 1, 3, 4]);
});

test('text is found as it was read, without its colours, across pieces', () => {
  const cast = readCast(FILE);
  expect(findInCast(cast, 'root@web-01:~# df')).toEqual([{ at: 61, line: 'root@web-01:~# df -h' }]);
  expect(findInCast(cast, 'VDB1')[0]?.line).toBe('/dev/vdb1   60G');
  expect(findInCast(cast, '')).toEqual([]);
});

test('a recording that was interrupted is shown as far as it goes', () => {
  const cast = readCast(`${FILE}\n[63.0,"o","hal`);
  expect([cast.cut, cast.events.length]).toEqual([true, 4]);
});

test('what is no recording is refused, and impossible sizes and times are not believed', () => {
  expect(() => readCast('{"version":1}')).toThrow(TypeError);
  expect(() => readCast('hello')).toThrow(SyntaxError);
  const cast = readCast('{"version":2,"width":1e9,"height":-1}\n[5,"o","a"]\n[1,"o","b"]');
  expect([cast.columns, cast.rows]).toEqual([80, 24]);
  expect(cast.events.map((event) => event.at)).toEqual([5, 5]);
});
