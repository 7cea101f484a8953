/** Runs of a job, grouped by identical result: who needs attention first. */

import type { Run, RunState } from '$lib/api/types';

export interface RunGroup {
  key: string;
  state: RunState;
  exitCode: number | null;
  reason: string | null;
  runs: Run[];
}

const ORDER: RunState[] = [
  'refused', 'failed', 'timed_out', 'output_limit', 'interrupted', 'expired', 'cancelled', 'succeeded', 'running', 'delivered', 'waiting',
];

export const FINAL: ReadonlySet<RunState> = new Set([
  'succeeded', 'failed', 'refused', 'cancelled', 'timed_out', 'output_limit', 'interrupted', 'expired',
] as RunState[]);

/** Runs that a second attempt makes sense for. */
export const RERUN: ReadonlySet<RunState> = new Set(['failed', 'refused', 'timed_out', 'output_limit', 'interrupted', 'expired'] as RunState[]);

const keyOf = (run: Run): string => [run.state, run.exit_code ?? '', run.signal ?? '', run.reason ?? '', run.output_sha256 ?? ''].join('|');

export function grouped(runs: Run[]): RunGroup[] {
  const groups = new Map<string, RunGroup>();
  for (const run of runs) {
    if (!FINAL.has(run.state)) continue;
    const key = keyOf(run);
    const group = groups.get(key) ?? { key, state: run.state, exitCode: run.exit_code ?? null, reason: run.reason ?? null, runs: [] };
    group.runs.push(run);
    groups.set(key, group);
  }
  return [...groups.values()].sort(
    (left, right) => ORDER.indexOf(left.state) - ORDER.indexOf(right.state) || right.runs.length - left.runs.length || (left.key < right.key ? -1 : 1),
  );
}
