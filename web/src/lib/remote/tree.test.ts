import { expect, test } from 'vitest';
import type { ProcessRow } from './background';
import { descendants, treeOf } from './tree';

const row = (pid: number, parent: number, cpu_permille = 0): ProcessRow => ({
  pid, parent, started: pid, since: null, user: 'root', name: `p${pid}`, command: '', cpu_permille, memory_bytes: 0, state: 'S', nice: 0, threads: 1, ports: [],
});
const byPid = (left: ProcessRow, right: ProcessRow) => left.pid - right.pid;
const shape = (rows: ProcessRow[], closed = new Set<number>()) => treeOf(rows, byPid, closed).map(({ row, depth, below }) => [row.pid, depth, below]);

test('each process stands under the one that began it', () => {
  expect(shape([row(1, 0), row(5, 1), row(9, 5), row(7, 1)])).toEqual([[1, 0, 3], [5, 1, 1], [9, 2, 0], [7, 1, 0]]);
});

test('siblings stand in the wanted order', () => {
  const rows = [row(1, 0), row(2, 1, 10), row(3, 1, 900)];
  expect(treeOf(rows, (left, right) => right.cpu_permille - left.cpu_permille, new Set()).map(({ row }) => row.pid)).toEqual([1, 3, 2]);
});

test('what is folded away is counted and not shown', () => {
  expect(shape([row(1, 0), row(5, 1), row(9, 5)], new Set([5]))).toEqual([[1, 0, 2], [5, 1, 1]]);
});

test('a parent that is gone, itself or a circle loses nobody', () => {
  expect(shape([row(4, 99), row(6, 6)])).toEqual([[4, 0, 0], [6, 0, 0]]);
  expect(shape([row(7, 8), row(8, 7)]).map(([pid]) => pid).sort()).toEqual([7, 8]);
});

test('the tree below a process is all that it began', () => {
  const rows = [row(1, 0), row(5, 1), row(9, 5), row(7, 1)];
  expect(descendants(rows, 5).map(({ pid }) => pid)).toEqual([9]);
  expect(descendants(rows, 99)).toEqual([]);
});
