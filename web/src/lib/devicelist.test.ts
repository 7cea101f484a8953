import { beforeEach, expect, test, vi } from 'vitest';
import { Problem } from './api/problem';
import { DeviceList } from './devicelist.svelte';

interface Asked {
  query: { q?: string; cursor?: string };
  take: (page: unknown) => void;
  refuse: (error: Error) => void;
}
const server = vi.hoisted(() => ({ asked: [] as unknown[] }));
vi.mock('$lib/api/routes', () => ({ devices: (query: unknown) => new Promise((take, refuse) => server.asked.push({ query, take, refuse })) }));

const asked = (at: number) => server.asked[at] as Asked;
const page = (ids: string[], next: string | null, total: number) => ({ items: ids.map((id) => ({ id })), next, total, counts: {} });
const ids = (list: DeviceList) => list.items.map((device) => device.id);

beforeEach(() => void (server.asked.length = 0));

async function made(): Promise<DeviceList> {
  const list = new DeviceList();
  const loaded = list.load({ q: 'a' });
  asked(0).take(page(['a1', 'a2'], 'a2', 4));
  await loaded;
  return list;
}

test('the fault of a page of the old filter is none of the new one', async () => {
  const list = await made();
  const reaching = list.reach(4);
  const other = list.load({ q: 'b' });
  asked(2).take(page(['b1'], null, 1));
  await other;
  asked(1).refuse(new Problem(503, { code: 'down' }));
  await reaching;
  expect([ids(list), list.problem]).toEqual([['b1'], undefined]);
});

test('where the old list went on is not asked for with the new filter', async () => {
  const list = await made();
  const other = list.load({ q: 'b' });
  await list.reach(4);
  expect(server.asked.length).toBe(2);
  asked(1).take(page(['b1', 'b2'], 'b2', 3));
  await other;
  const reaching = list.reach(3);
  expect(asked(2).query).toMatchObject({ q: 'b', cursor: 'b2' });
  asked(2).take(page(['b3'], null, 3));
  await reaching;
  expect(ids(list)).toEqual(['b1', 'b2', 'b3']);
});

test('what changed while a refresh was under way is asked for once more', async () => {
  const list = await made();
  const refreshed = list.refresh();
  const after = list.refresh();
  void list.refresh();
  asked(1).take(page(['a1', 'a2'], null, 2));
  await vi.waitFor(() => expect(server.asked.length).toBe(3));
  asked(2).take(page(['a2'], null, 1));
  await Promise.all([refreshed, after]);
  expect([ids(list), server.asked.length]).toEqual([['a2'], 3]);
});

test('a note about a device whose presence stays says that something else of it changed', async () => {
  const list = new DeviceList();
  const loaded = list.load({ q: 'a' });
  asked(0).take({ ...page([], null, 1), items: [{ id: 'a1', online: false }] });
  await loaded;
  expect(list.note({ device: 'a1', online: true })).toBe(false);
  expect(list.note({ device: 'a1', online: true })).toBe(true);
  expect(list.note({ device: 'new', online: true })).toBe(true);
});
