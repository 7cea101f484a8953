import type { Kind } from '$lib/stream/answer';
import { now } from './clock.svelte';
import { session } from './session.svelte';

/** Seconds for which a step-up window still covers class 1; 0 where none is open. */
export function stepUpLeft(): number {
  const until = session.me?.step_up_until;
  return until ? Math.max(0, (Date.parse(until) - now()) / 1000) : 0;
}

/** The kind of remote session that the window serves; it serves the first one that it is used for. */
export const stepUpKind = (): string | undefined => session.me?.step_up_kind ?? undefined;

/** Whether a remote session of this kind opens without another proof. */
export function stepUpCovers(kind: Kind): boolean {
  const bound = stepUpKind();
  return stepUpLeft() > 0 && (bound === undefined || bound === kind);
}
