import type { Job } from '$lib/api/types';
import { count } from '$lib/format';
import type { Look } from '$parts/looks';

/** A job as a whole: what needs attention wins over what went well. */
export function jobLook(job: Pick<Job, 'counts'>): Look {
  const { total, running, waiting, failed, refused, other } = job.counts;
  if (running > 0) return { icon: 'running', word: 'Running', tone: 'wait' };
  if (waiting > 0) return { icon: 'clock', word: waiting === total ? 'Waiting' : `${count(waiting)} waiting`, tone: 'wait' };
  if (refused > 0 && failed === 0) return { icon: 'shieldx', word: `${count(refused)} refused`, tone: 'bad' };
  if (failed + refused > 0) return { icon: 'bad', word: total === 1 ? 'Failed' : `${count(failed + refused)} failed`, tone: 'bad' };
  if (other > 0) return { icon: 'warn', word: total === 1 ? 'Ended early' : `${count(other)} ended early`, tone: 'warn' };
  return { icon: 'done', word: 'Done', tone: 'ok' };
}
