/** Processes as a tree: each under the one that began it, siblings in the wanted order. */

import type { ProcessRow } from './background';

export interface Branch {
  row: ProcessRow;
  depth: number;
  /** How many stand below it, at any depth. */
  below: number;
}

export type Order = (left: ProcessRow, right: ProcessRow) => number;

/** A process whose parent is unknown, or leads round in a circle, stands at the top. */
export function treeOf(rows: ProcessRow[], order: Order, closed: ReadonlySet<number>): Branch[] {
  const known = new Set(rows.map((row) => row.pid));
  const children = new Map<number, ProcessRow[]>();
  for (const row of rows) {
    const parent = known.has(row.parent) && row.parent !== row.pid ? row.parent : 0;
    const list = children.get(parent) ?? [];
    list.push(row);
    children.set(parent, list);
  }
  const out: Branch[] = [];
  const seen = new Set<number>();
  const walk = (row: ProcessRow, depth: number, hidden: boolean): number => {
    if (seen.has(row.pid)) return 0;
    seen.add(row.pid);
    const branch: Branch = { row, depth, below: 0 };
    if (!hidden) out.push(branch);
    for (const child of (children.get(row.pid) ?? []).sort(order)) branch.below += 1 + walk(child, depth + 1, hidden || closed.has(row.pid));
    return branch.below;
  };
  for (const row of (children.get(0) ?? []).sort(order)) walk(row, 0, false);
  for (const row of rows) walk(row, 0, false);
  return out;
}

/** Everything that a process began, itself left out. */
export function descendants(rows: ProcessRow[], pid: number): ProcessRow[] {
  const branch = treeOf(rows, () => 0, new Set());
  const at = branch.findIndex((one) => one.row.pid === pid);
  return at < 0 ? [] : branch.slice(at + 1, at + 1 + (branch[at]?.below ?? 0)).map((one) => one.row);
}
