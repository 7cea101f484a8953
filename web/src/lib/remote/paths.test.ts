import { expect, test } from 'vitest';
import { crumbsOf, inside, modeWord, nameFault, parentOf, readable } from './paths';

test('plain names make plain paths', () => {
  expect(inside('/', 'etc')).toBe('/etc');
  expect(inside('/srv/café', 'a b')).toBe('/srv/café/a b');
});

test('a name that is no UTF-8 makes the whole path an escaped one', () => {
  expect(inside('/srv/café', 'caf\ufffd', 'caf%E9')).toBe('raw:/srv/caf%C3%A9/caf%E9');
  expect(inside('raw:/srv/caf%E9', 'a b')).toBe('raw:/srv/caf%E9/a%20b');
});

test('the way up ends at the root', () => {
  expect([parentOf('/a/b'), parentOf('/a'), parentOf('/'), parentOf('raw:/a%FF/b')]).toEqual(['/a', '/', '/', 'raw:/a%FF']);
});

test('crumbs lead from the root to the folder', () => {
  expect(crumbsOf('/var/log')).toEqual([{ name: '/', path: '/' }, { name: 'var', path: '/var' }, { name: 'log', path: '/var/log' }]);
  expect(crumbsOf('/')).toEqual([{ name: '/', path: '/' }]);
  expect(crumbsOf('raw:/a%20b').at(-1)).toEqual({ name: 'a b', path: 'raw:/a%20b' });
  expect(readable('raw:/caf%C3%A9')).toBe('/café');
});

test('modes are written as everybody writes them', () => {
  expect([modeWord(0o755), modeWord(0o640), modeWord(0o4755), modeWord(0o1777), modeWord(0o2644)]).toEqual(['rwxr-xr-x', 'rw-r-----', 'rwsr-xr-x', 'rwxrwxrwt', 'rw-r-Sr--']);
});

test('names that no file can have are told', () => {
  for (const bad of ['', '.', '..', 'a/b', 'x'.repeat(256)]) expect(nameFault(bad)).toBeDefined();
  expect(nameFault('notes.txt')).toBeUndefined();
});
