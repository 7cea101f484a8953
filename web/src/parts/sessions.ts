/** Sessions on a map of time: one axis for all of them, so that one sees which lay beside each other. */

import type { Session } from '$lib/api/types';

export const METHOD_WORDS: Record<string, string> = {
  totp: 'password and code',
  passkey: 'passkey',
  recovery_code: 'recovery code',
  authority_kit: 'authority kit',
  password: 'password alone',
};

export interface Axis {
  from: number;
  to: number;
  ticks: { at: number; word: string }[];
}

const HOUR = 3_600_000;
/** Widths of the axis and how far its marks are apart, in hours. */
const STEPS: [number, number][] = [[6, 1], [12, 3], [24, 6], [72, 24], [168, 48], [Infinity, 168]];

/** From the first session's beginning to now, rounded up to something that can be read. */
export function axisOf(sessions: Session[], now: number): Axis {
  const first = Math.min(...sessions.map((one) => Date.parse(one.created)), now - HOUR);
  const [width, step] = STEPS.find(([hours]) => now - first <= hours * HOUR) ?? [0, 168];
  const hours = Number.isFinite(width) ? width : Math.ceil((now - first) / HOUR / step) * step;
  const from = now - hours * HOUR;
  const count = Math.floor(hours / step);
  const ticks = Array.from({ length: count }, (_, at) => {
    const back = hours - at * step;
    return { at: from + at * step * HOUR, word: back >= 48 ? `${Math.round(back / 24)} d ago` : `${back} h ago` };
  });
  return { from, to: now, ticks };
}

/** A moment's place on the axis, 0 to 1000. */
export const placeOn = (axis: Axis, moment: string | number): number => {
  const at = typeof moment === 'number' ? moment : Date.parse(moment);
  return Math.min(1000, Math.max(0, ((at - axis.from) / (axis.to - axis.from)) * 1000));
};
