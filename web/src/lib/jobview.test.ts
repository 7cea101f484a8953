import { beforeEach, expect, test, vi } from 'vitest';
import type { Job, Run } from './api/types';
import { JobView } from './jobview.svelte';

type Note = (note: unknown) => void;
type Asked = { what: string; take: (answer: unknown) => void; refuse: (error: Error) => void };

const server = vi.hoisted(() => ({ asked: [] as Asked[], listeners: new Map<string, Note>(), paced: [] as (() => void)[] }));
vi.mock('$lib/api/routes', () => {
  const ask = (what: string) => new Promise((take, refuse) => server.asked.push({ what, take, refuse }));
  return { job: () => ask('job'), run: (id: string) => ask(id), runs: () => ask('runs'), all: (page: () => Promise<unknown>) => page() };
});
vi.mock('./live.svelte', () => ({
  on: (kind: string, told: Note) => (server.listeners.set(kind, told), () => server.listeners.delete(kind)),
  paced: (_: number, action: () => void) => (server.paced.push(action), action),
}));

const job = (ended: string | null) => ({ id: 'job', ended }) as unknown as Job;
const run = (id: string, state: string) => ({ id, state }) as unknown as Run;
const settled = () => new Promise((after) => setTimeout(after));
/** Answers the oldest question of that name. */
async function answer(what: string, value: unknown) {
  const at = server.asked.findIndex((one) => one.what === what);
  expect(at, `${what} was asked for`).toBeGreaterThanOrEqual(0);
  const [one] = server.asked.splice(at, 1);
  if (value instanceof Error) one?.refuse(value);
  else one?.take(value);
  await settled();
}
const changed = async (id: string) => {
  server.listeners.get('run')?.({ job: 'job', run: id, state: 'running' });
  await settled();
};

async function opened() {
  const view = new JobView('job');
  view.watch();
  void view.load();
  await settled();
  await answer('job', job(null));
  await answer('runs', [run('a', 'waiting'), run('b', 'waiting')]);
  return view;
}

beforeEach(() => {
  server.asked.length = 0;
  server.listeners.clear();
});

test('a second change is asked for once the first is answered: an old answer is never written over a new one', async () => {
  const view = await opened();
  await changed('a');
  await changed('a');
  expect(server.asked.map((one) => one.what)).toEqual(['job', 'a']);
  await answer('a', run('a', 'running'));
  await answer('job', job(null));
  await answer('a', run('a', 'succeeded'));
  await answer('job', job('now'));
  expect([view.job?.ended, view.runs.map((one) => one.state)]).toEqual(['now', ['succeeded', 'waiting']]);
});

test('a run whose question failed is asked for again with the next change', async () => {
  const view = await opened();
  await changed('a');
  await answer('a', new Error('away'));
  await answer('job', job(null));
  await changed('b');
  expect(server.asked.map((one) => one.what).sort()).toEqual(['a', 'b', 'job']);
  await answer('a', run('a', 'succeeded'));
  await answer('b', run('b', 'failed'));
  await answer('job', job(null));
  expect(view.runs.map((one) => one.state)).toEqual(['succeeded', 'failed']);
});
