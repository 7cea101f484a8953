import { expect, test } from 'vitest';
import { StreamError } from './errors';
import type { Control } from './plain';
import { Requests } from './requests';

function world() {
  const sent: Control[] = [];
  const requests = new Requests({ control: async (message) => void sent.push(message), data: async () => {} });
  return { sent, requests };
}

test('a list in parts is whole with its ok, and each request has a number of its own', async () => {
  const { sent, requests } = world();
  const parts: unknown[] = [];
  const first = requests.ask<{ omitted: number }>('services', {}, { push: (message) => void parts.push(message.services) });
  void requests.ask('users');
  expect(sent).toEqual([{ t: 'services', id: 1 }, { t: 'users', id: 2 }]);
  expect(requests.hear({ t: 'part', id: 1, services: ['a'] })).toBe(true);
  requests.hear({ t: 'part', id: 1, services: ['b'] });
  requests.hear({ t: 'ok', id: 1, omitted: 3 });
  expect((await first).omitted).toBe(3);
  expect(parts).toEqual([['a'], ['b']]);
  expect(requests.hear({ t: 'part', id: 1 })).toBe(false);
});

test('a refusal says in words what happened and keeps its code', async () => {
  const { requests } = world();
  const asked = requests.ask('list', { path: '/nowhere' });
  requests.hear({ t: 'error', id: 1, code: 'not_found', detail: 'No such file or directory' });
  await expect(asked).rejects.toMatchObject({ code: 'not_found', message: 'It is not there', detail: 'No such file or directory' });
});

test('a write that fails after it began is told, also before it is committed', async () => {
  const { requests } = world();
  let failed: Error | undefined;
  const { id, done } = requests.begin('write', {}, { failed: (error) => (failed = error) }, true);
  requests.hear({ t: 'ok', id, offset: 0 });
  await done;
  requests.hear({ t: 'error', id, code: 'disk_full' });
  expect(failed).toMatchObject({ code: 'disk_full', message: 'The disk is full' });
});

test('a commit is answered under the number of its write', async () => {
  const { sent, requests } = world();
  const { id, done } = requests.begin('write', {}, {}, true);
  requests.hear({ t: 'ok', id, offset: 0 });
  await done;
  const committed = requests.more<{ sha256: string }>(id, 'commit');
  expect(sent.at(-1)).toEqual({ t: 'commit', id });
  requests.hear({ t: 'ok', id, sha256: 'ab' });
  expect((await committed).sha256).toBe('ab');
});

test('data goes to the request that it belongs to, and whoever waits is told of the end', async () => {
  const { requests } = world();
  const got: number[] = [];
  const reading = requests.ask('read', {}, { data: (bytes) => void got.push(bytes.length) });
  requests.hearData(1, new Uint8Array(5));
  requests.hearData(9, new Uint8Array(7));
  requests.end(new StreamError('ended'));
  expect(got).toEqual([5]);
  await expect(reading).rejects.toThrow('has ended');
});
