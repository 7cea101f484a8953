import { expect, test } from 'vitest';
import { foldersOf } from './dropped';

test('outer folders come before inner ones, each once', () => {
  expect(foldersOf(['b/x/1.txt', 'b/2.txt', 'a.txt', 'b/x/y/3.txt'])).toEqual(['b', 'b/x', 'b/x/y']);
});
