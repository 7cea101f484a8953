import { expect, test, vi } from 'vitest';
import { Problem } from '$lib/api/problem';
import type { Guarded } from '$lib/api/routes';
import type { User } from '$lib/api/types';
import type { MenuItem } from '$parts/menu';
import { PeopleActs } from './acts.svelte';

vi.mock('$lib/gate.svelte', () => ({ gate: { through: async (asked: Guarded) => (await asked).value } }));

const done = { status: 201, headers: new Headers(), value: { kind: 'done' } } as unknown as Awaited<Guarded>;
const refused = (): Guarded => Promise.reject(new Problem(409, { code: 'conflict' }));
const ada = { id: 'u1', name: 'Ada', you: false, state: 'active', assignments: [], factors: { totp: 1, passkeys: 0 }, sessions: 0 } as unknown as User;

test('while one act runs, the request of another is not begun, and the menu says why', async () => {
  const changed = vi.fn();
  const acts = new PeopleActs(() => undefined, changed);
  let go = () => {};
  const asked = acts.guarded(() => new Promise((resolve) => (go = () => resolve(done))), () => 'Done');
  const second = vi.fn(refused);
  expect(await acts.guarded(second, () => 'Done')).toBe(false);
  expect(second).not.toHaveBeenCalled();
  const entries = acts.entries(ada).filter((entry): entry is MenuItem => entry !== 'line' && !('label' in entry));
  expect(new Set(entries.map((entry) => entry.why))).toEqual(new Set(['Something else is under way']));
  expect(changed).not.toHaveBeenCalled();
  go();
  expect(await asked).toBe(true);
  expect([acts.busy, acts.problem, changed.mock.calls.length]).toEqual([false, undefined, 1]);
});

test('a dialog opens and closes without the fault of another act', async () => {
  const acts = new PeopleActs(() => undefined, () => undefined);
  for (const asking of [{ kind: 'roles', user: ada } as const, undefined]) {
    expect(await acts.guarded(refused, () => 'Done')).toBe(false);
    expect(acts.problem?.code).toBe('conflict');
    acts.show(asking);
    expect([acts.problem, acts.asking]).toEqual([undefined, asking]);
  }
});
