import { expect, test } from 'vitest';
import { Problem } from './api/problem';
import { Pages } from './pages.svelte';

interface Row {
  id: number;
  state: string;
}

interface Asked {
  of: string;
  limit: number;
  cursor: string | undefined;
  go: () => void;
}

/** A server with lists of rows, the newest first. While `held`, an answer is that of the moment it was asked for, and waits to be let go. */
function server(size: number, lists: Record<string, number[]>) {
  const states = new Map<number, string>();
  const asked: Asked[] = [];
  const said = { held: false, down: false };
  const load = async ({ of }: { of: string }, { limit, cursor }: { limit: number; cursor: string | undefined }) => {
    const rest = (lists[of] ?? []).filter((id) => cursor === undefined || id < Number(cursor));
    const items: Row[] = rest.slice(0, limit).map((id) => ({ id, state: states.get(id) ?? 'new' }));
    const { down } = said;
    await new Promise<void>((go) => (asked.push({ of, limit, cursor, go }), said.held || go()));
    if (down) throw new Problem(503, { title: 'The server rests', code: 'down' });
    return { items, next: rest.length > limit ? String(items.at(-1)?.id) : null, total: lists[of]?.length ?? 0 };
  };
  return { pages: new Pages(load, size), lists, states, asked, said };
}

const ids = (pages: Pages<Row, { of: string }>) => pages.items.map((row) => row.id);
const settled = () => new Promise((resolve) => setTimeout(resolve));

test('pages follow each other to the end', async () => {
  const { pages, asked } = server(2, { a: [5, 4, 3, 2, 1] });
  await pages.ask({ of: 'a' });
  expect([ids(pages), pages.next, pages.total, pages.loaded]).toEqual([[5, 4], '4', 5, true]);
  expect(await pages.more()).toBe(true);
  await pages.more();
  expect([ids(pages), pages.next]).toEqual([[5, 4, 3, 2, 1], undefined]);
  await pages.more();
  expect(asked.map(({ cursor }) => cursor)).toEqual([undefined, '4', '2']);
});

test('rows that are pushed off the first page stay, and all of them are as they are now', async () => {
  const { pages, lists, states } = server(2, { a: [6, 5, 4, 3, 2, 1] });
  await pages.ask({ of: 'a' });
  await pages.more();
  lists.a?.unshift(7);
  states.set(4, 'over');
  await pages.reload();
  expect(pages.items.map(({ id, state }) => `${id} ${state}`)).toEqual(['7 new', '6 new', '5 new', '4 over']);
  await pages.more();
  expect(ids(pages)).toEqual([7, 6, 5, 4, 3, 2]);
});

test('the same rows again are the same value', async () => {
  const { pages } = server(2, { a: [2, 1] });
  await pages.ask({ of: 'a' });
  const before = pages.items;
  await pages.reload();
  expect(pages.items).toBe(before);
});

test('more than the server gives at once is loaded again in several pages', async () => {
  const all = Array.from({ length: 2500 }, (_, at) => 2500 - at);
  const { pages, asked } = server(600, { a: all });
  await pages.ask({ of: 'a' });
  await pages.more();
  asked.length = 0;
  await pages.reload();
  expect(asked.map(({ limit, cursor }) => [limit, cursor])).toEqual([[1000, undefined], [200, '1501']]);
  expect(ids(pages)).toEqual(all.slice(0, 1200));
});

test('a changed question drops what the old one still answers, and waits for none of it', async () => {
  const { pages, asked, said } = server(2, { a: [4, 3, 2, 1], b: [9, 8, 7] });
  await pages.ask({ of: 'a' });
  said.held = true;
  const [again, more] = [pages.reload(), pages.more()];
  await settled();
  const old = pages.further;
  const other = pages.ask({ of: 'b' });
  expect([pages.loaded, pages.further.busy, ids(pages)]).toEqual([false, false, [4, 3]]);
  await settled();
  expect(asked.map(({ of }) => of)).toEqual(['a', 'a', 'b']);
  asked[2]?.go();
  await other;
  expect([pages.loaded, ids(pages)]).toEqual([true, [9, 8]]);
  asked[1]?.go();
  await Promise.all([again, more]);
  expect([ids(pages), pages.next, pages.total, pages.loading]).toEqual([[9, 8], '8', 3, false]);
  expect([old.busy, pages.further === old, asked.length]).toEqual([false, false, 3]);
});

test('a next page of the old question is no page of the new one, whichever is there first', async () => {
  for (const first of ['old', 'new']) {
    const { pages, asked, said } = server(2, { a: [4, 3, 2, 1], b: [9, 8, 7] });
    await pages.ask({ of: 'a' });
    said.held = true;
    const more = pages.more();
    await settled();
    const other = pages.ask({ of: 'b' });
    await settled();
    const [old, fresh] = [asked[1], asked[2]];
    for (const one of first === 'old' ? [old, fresh] : [fresh, old]) {
      one?.go();
      await settled();
    }
    await Promise.all([more, other]);
    expect(ids(pages)).toEqual([9, 8]);
  }
});

test('the same question again loads what is shown again', async () => {
  const { pages, lists } = server(2, { a: [4, 3, 2, 1] });
  await pages.ask({ of: 'a' });
  await pages.more();
  lists.a?.unshift(5);
  const asked = pages.ask({ of: 'a' });
  expect(pages.loaded).toBe(true);
  await asked;
  expect(ids(pages)).toEqual([5, 4, 3, 2]);
});

test('another question begins with its first page', async () => {
  const { pages } = server(2, { a: [4, 3, 2, 1], b: [9, 8, 7] });
  await pages.ask({ of: 'a' });
  await pages.more();
  await pages.ask({ of: 'b' });
  expect([ids(pages), pages.next]).toEqual([[9, 8], '8']);
});

test('a reload while more is asked for leaves no gap and nothing twice, whichever came first', async () => {
  for (const order of ['more first', 'reload first']) {
    const { pages, lists, asked, said } = server(2, { a: [6, 5, 4, 3, 2, 1] });
    await pages.ask({ of: 'a' });
    said.held = true;
    const both = order === 'more first' ? [pages.more(), pages.reload()] : [pages.reload(), pages.more()];
    await settled();
    lists.a?.unshift(8, 7);
    said.held = false;
    asked.forEach((one) => one.go());
    await Promise.all(both);
    // Of the two, the last one has seen the new rows; what is shown hangs together either way.
    expect([ids(pages), pages.next]).toEqual(order === 'more first' ? [[8, 7, 6, 5], '5'] : [[6, 5, 4, 3], '3']);
    await pages.reload();
    await pages.more();
    expect(ids(pages)).toEqual([8, 7, 6, 5, 4, 3]);
  }
});

test('reloads that are asked for while one runs are one more', async () => {
  const { pages, lists, asked, said } = server(2, { a: [2, 1] });
  await pages.ask({ of: 'a' });
  said.held = true;
  const first = pages.reload();
  await settled();
  lists.a?.unshift(3);
  const later = [pages.reload(), pages.reload(), pages.reload()];
  said.held = false;
  asked.forEach((one) => one.go());
  await Promise.all([first, ...later]);
  expect([ids(pages), asked.length]).toEqual([[3, 2], 3]);
});

test('a fault of more is kept, leaves the rows, and more can be tried again', async () => {
  const { pages, said } = server(2, { a: [3, 2, 1] });
  await pages.ask({ of: 'a' });
  said.down = true;
  expect(await pages.more()).toBe(false);
  expect([pages.further.problem?.code, pages.further.busy, pages.problem, ids(pages)]).toEqual(['down', false, undefined, [3, 2]]);
  said.down = false;
  expect(await pages.more()).toBe(true);
  expect([pages.further.problem, ids(pages)]).toEqual([undefined, [3, 2, 1]]);
});

test('a fault of loading again leaves the rows; nothing of another question stands under it', async () => {
  const { pages, said } = server(2, { a: [3, 2, 1], b: [9] });
  await pages.ask({ of: 'a' });
  said.down = true;
  await pages.reload();
  expect([pages.problem?.code, pages.loading, ids(pages)]).toEqual(['down', false, [3, 2]]);
  await pages.ask({ of: 'b' });
  expect([pages.problem?.code, pages.loaded, ids(pages), pages.next]).toEqual(['down', false, [], undefined]);
  said.down = false;
  await pages.reload();
  expect([pages.problem, pages.loaded, ids(pages)]).toEqual([undefined, true, [9]]);
});

test('a list whose pages are short is not read to its end because it is loaded again', async () => {
  let asked = 0;
  const pages = new Pages(async (_: { of: string }, { cursor }: { limit: number; cursor: string | undefined }) => {
    asked++;
    const at = Number(cursor ?? 100) - 1;
    return { items: at % 2 ? [] : [{ id: at }], next: String(at), total: 100 };
  }, 50);
  await pages.ask({ of: 'a' });
  expect([asked, pages.items, pages.next]).toEqual([1, [], '99']);
  await pages.more();
  await pages.more();
  expect([asked, pages.items.map(({ id }) => id), pages.next]).toEqual([3, [98], '97']);
  await pages.reload();
  expect([asked, pages.items.map(({ id }) => id), pages.next]).toEqual([6, [98], '97']);
});
