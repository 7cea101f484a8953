import { describe, expect, it } from 'vitest';
import { defaultWanted, inZone, timingOf, whyNot, windowWords } from './schedules';

describe('schedules', () => {
  it('shows one moment by the clocks of two zones', () => {
    expect(inZone('2026-11-23T01:30:00Z', 'Europe/Berlin')).toBe('Mon 23 Nov, 02:30');
    expect(inZone('2026-11-23T01:30:00Z', 'America/New_York')).toBe('Sun 22 Nov, 20:30');
  });

  it('leaves out a window of which only one end is known, and says so', () => {
    const half = { ...defaultWanted(), name: 'Nightly', windowFrom: '22:00' };
    expect(timingOf(half, 0).window).toBeUndefined();
    const details = { parameters: [], script: {} } as never;
    expect(whyNot(half, details, [{} as never])).toBe('The window needs both times');
    expect(whyNot({ ...half, windowTo: '04:00' }, details, [{} as never])).toBe('');
    expect(timingOf({ ...half, windowTo: '04:00' }, 0).window).toEqual({ from: '22:00', to: '04:00', days: [] });
  });

  it('says on which days a window begins, and sends all seven as none', () => {
    const nightly = { ...defaultWanted(), windowFrom: '22:00', windowTo: '04:00' };
    const days = (windowDays: string[]) => timingOf({ ...nightly, windowDays }, 0).window?.days;
    expect(days(['fri', 'mon'])).toEqual(['mon', 'fri']);
    expect(days(['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'])).toEqual([]);
    expect(windowWords({ from: '22:00', to: '04:00', days: [] })).toBe('22:00 to 04:00');
    expect(windowWords({ from: '22:00', to: '04:00', days: ['mon', 'tue', 'wed', 'thu', 'fri'] })).toBe('22:00 to 04:00, Monday to Friday');
    expect(windowWords({ from: '22:00', to: '04:00', days: ['sun', 'sat'] })).toBe('22:00 to 04:00, Saturday, Sunday');
    expect(windowWords(undefined)).toBe('any time');
  });

  it('does not publish what needs a secret', () => {
    const parameter = { name: 'TOKEN', label: 'Token', secret: true, required: true, default: '' };
    const details = { parameters: [parameter], script: {} } as never;
    expect(whyNot({ ...defaultWanted(), name: 'n' }, details, [{} as never])).toContain('cannot be published');
  });
});
