import { now } from './clock.svelte';
import { session } from './session.svelte';

/** Seconds for which a step-up window still covers class 1; 0 where none is open. */
export function stepUpLeft(): number {
  const until = session.me?.step_up_until;
  return until ? Math.max(0, (Date.parse(until) - now()) / 1000) : 0;
}
