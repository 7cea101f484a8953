import { expect, test, vi } from 'vitest';
import { Problem } from '$lib/api/problem';
import type { Guarded } from '$lib/api/routes';
import { Change } from './change.svelte';

vi.mock('$lib/gate.svelte', () => ({ gate: { through: async (asked: Guarded) => (await asked).value } }));

const done = { status: 201, headers: new Headers(), value: { kind: 'done' } } as unknown as Awaited<Guarded>;

test('while one runs, a second request is not begun', async () => {
  const change = new Change();
  let go = () => {};
  const first = vi.fn((): Guarded => new Promise((resolve) => (go = () => resolve(done))));
  const second = vi.fn((): Guarded => Promise.reject(new Problem(409, { code: 'conflict' })));
  const asked = change.ask(first, 'Changed');
  expect(await change.ask(second, 'Changed')).toBe(false);
  go();
  expect(await asked).toBe(true);
  expect([first.mock.calls.length, second.mock.calls.length, change.problem]).toEqual([1, 0, undefined]);
});

test('a refusal is kept as its fault', async () => {
  const change = new Change();
  expect(await change.ask(() => Promise.reject(new Problem(409, { code: 'conflict' })), 'Changed')).toBe(false);
  expect([change.problem?.code, change.busy]).toEqual(['conflict', false]);
});
