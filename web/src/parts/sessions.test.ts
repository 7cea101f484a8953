import { expect, test } from 'vitest';
import type { Session } from '$lib/api/types';
import { axisOf, placeOn } from './sessions';

const HOUR = 3_600_000;
const NOW = Date.UTC(2026, 10, 22, 12);
const begun = (hoursAgo: number) => ({ created: new Date(NOW - hoursAgo * HOUR).toISOString() }) as Session;

test('the axis holds every session and ends now', () => {
  for (const hours of [0.1, 5, 11, 20, 70, 160, 900]) {
    const axis = axisOf([begun(hours), begun(0)], NOW);
    expect(axis.to).toBe(NOW);
    expect(axis.from).toBeLessThanOrEqual(NOW - hours * HOUR);
    expect(axis.ticks.length).toBeGreaterThan(2);
    expect(axis.ticks.length).toBeLessThan(8);
  }
});

test('places stay on the axis', () => {
  const axis = axisOf([begun(5)], NOW);
  expect(placeOn(axis, NOW)).toBe(1000);
  expect(placeOn(axis, NOW - 3 * HOUR)).toBe(500);
  expect(placeOn(axis, NOW - 90 * HOUR)).toBe(0);
  expect(placeOn(axis, NOW + HOUR)).toBe(1000);
});
