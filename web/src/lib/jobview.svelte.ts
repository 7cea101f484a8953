/** One job with its runs, kept up to date by live notes. */

import { asProblem, type Problem } from '$lib/api/problem';
import * as api from '$lib/api/routes';
import type { Job, Run, RunCounts, RunState } from '$lib/api/types';
import { on, paced } from './live.svelte';

/** More changed runs than this at once are fetched as a list. */
const ONE_BY_ONE = 12;

const COUNTED: Record<RunState, keyof RunCounts> = {
  waiting: 'waiting', delivered: 'waiting', running: 'running', succeeded: 'succeeded', failed: 'failed', timed_out: 'failed',
  output_limit: 'failed', refused: 'refused', cancelled: 'other', interrupted: 'other', expired: 'other',
};

export function countsOf(runs: Run[]): RunCounts {
  const counts: RunCounts = { total: runs.length, waiting: 0, running: 0, succeeded: 0, failed: 0, refused: 0, other: 0 };
  for (const run of runs) counts[COUNTED[run.state]]++;
  return counts;
}

export class JobView {
  job = $state.raw<Job>();
  runs = $state.raw<Run[]>([]);
  loaded = $state(false);
  problem = $state.raw<Problem>();
  /** The last chunk number told for each run's output. */
  written = $state.raw<Record<string, number>>({});
  readonly #id: string;
  readonly #changed = new Set<string>();
  /** One question after another, so that no older answer is written over a newer one. */
  #last: Promise<void> = Promise.resolve();

  constructor(id: string) {
    this.#id = id;
  }

  load = (): Promise<void> => this.#inTurn(() => this.#whole());

  #inTurn(ask: () => Promise<void>): Promise<void> {
    this.#last = this.#last.then(ask);
    return this.#last;
  }

  async #whole(): Promise<void> {
    this.#changed.clear();
    try {
      const [job, runs] = await Promise.all([api.job(this.#id), api.all((cursor) => api.runs(this.#id, { limit: 1000, cursor }))]);
      this.job = job;
      this.runs = runs;
      this.problem = undefined;
    } catch (error) {
      this.problem = asProblem(error);
    } finally {
      this.loaded = true;
    }
  }

  /** Listens until the returned function is called. */
  watch(): () => void {
    const catchUp = paced(300, () => void this.#inTurn(() => this.#catchUp()));
    const stops = [
      on<{ run: string; job: string; state: RunState }>('run', (note) => {
        if (note.job !== this.#id) return;
        this.#changed.add(note.run);
        catchUp();
      }),
      on<{ run: string; job: string; next: number }>('output', (note) => {
        if (note.job === this.#id) this.written = { ...this.written, [note.run]: note.next };
      }),
      on<{ job: string }>('job', (note) => note.job === this.#id && catchUp()),
      on('resync', () => void this.load()),
    ];
    return () => stops.forEach((stop) => stop());
  }

  async #catchUp(): Promise<void> {
    if (this.#changed.size > ONE_BY_ONE) return this.#whole();
    const ids = [...this.#changed];
    this.#changed.clear();
    try {
      const [job, fresh] = await Promise.all([api.job(this.#id), Promise.all(ids.map((id) => api.run(id)))]);
      this.job = job;
      const byId = new Map(fresh.map((run) => [run.id, run]));
      if (byId.size > 0) this.runs = this.runs.map((run) => byId.get(run.id) ?? run);
    } catch {
      // They are asked for again with the next note, or with everything else once the line is back.
      ids.forEach((id) => this.#changed.add(id));
    }
  }
}
