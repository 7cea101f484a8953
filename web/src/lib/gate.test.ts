import { beforeEach, expect, test, vi } from 'vitest';
import { Problem } from './api/problem';
import type { AuthorizationRequest } from './api/types';
import { gate } from './gate.svelte';

const proofs = vi.hoisted(() => ({ settle: [] as { take: (request: unknown) => void; refuse: (error: Error) => void }[] }));
vi.mock('$lib/api/routes', () => ({ prove: () => new Promise((take, refuse) => proofs.settle.push({ take, refuse })) }));
vi.mock('./activation.svelte', () => ({ activation: { meets: () => false } }));

const request = (id: string, state = 'open') => ({ id, state, requirement: [], result: state === 'executed' ? { kind: 'done' } : null }) as unknown as AuthorizationRequest;

beforeEach(() => {
  gate.close();
  proofs.settle.length = 0;
});

test('what was answered to a request that is no longer shown is not written over the one that is', async () => {
  void gate.show(request('one'));
  const accepted = gate.prove('123456');
  const second = gate.show(request('two'));
  proofs.settle[0]?.take(request('one', 'executed'));
  expect(await accepted).toBe(false);
  expect([gate.request?.id, gate.busy]).toEqual(['two', false]);
  gate.close();
  expect(await second).toBeUndefined();
});

test('nor is its fault', async () => {
  void gate.show(request('one'));
  const accepted = gate.prove('123456');
  void gate.show(request('two'));
  proofs.settle[0]?.refuse(new Problem(403, { code: 'code_refused' }));
  expect(await accepted).toBe(false);
  expect(gate.wrong).toBeUndefined();
});

test('a result comes into sight also where the panel was closed meanwhile, and to whoever asked: some are shown only once', async () => {
  const asked = gate.show(request('one'));
  const accepted = gate.prove('123456');
  gate.close();
  expect(gate.open).toBe(false);
  proofs.settle[0]?.take(request('one', 'executed'));
  expect(await accepted).toBe(true);
  expect(gate.request?.state).toBe('executed');
  gate.close();
  expect(await asked).toEqual({ kind: 'done' });
});

test.each([
  ['it waits for somebody else', () => proofs.settle[0]?.take(request('one'))],
  ['it was refused', () => proofs.settle[0]?.refuse(new Problem(403, { code: 'code_refused' }))],
])('a panel that was closed meanwhile stays closed where %s', async (_, settle) => {
  const asked = gate.show(request('one'));
  const accepted = gate.prove('123456');
  gate.close();
  settle();
  await accepted;
  expect([gate.open, gate.wrong, gate.busy]).toEqual([false, undefined, false]);
  expect(await asked).toBeUndefined();
});
