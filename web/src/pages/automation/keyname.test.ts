import { expect, test } from 'vitest';
import { keyName } from './keyname';

test.each([
  ['Nightly patch report', 'nightly-patch-report'],
  ['  --help; rm -rf /', 'help-rm-rf'],
  ['Bücher & Co.', 'bu-cher-co'],
  ['日本', 'tool'],
  ['', 'tool'],
  ['a'.repeat(80), 'a'.repeat(32)],
])('the key of %j is called %s', (client, key) => {
  expect(keyName(client)).toBe(key);
});
