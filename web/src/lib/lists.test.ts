import { expect, test } from 'vitest';
import type { Run } from '$lib/api/types';
import { diffLines, folded } from './diff';
import { one, readFilters, withFilter, writeFilters } from './filters';
import { ago, ahead, bytes, count, countdown, fours, length, shortDigest } from './format';
import { grouped } from './groups';
import { JUMPS } from '../shell/jumps';
import { best, runWish, visitWish } from './palette';
import { hintsIn, listed, visible } from './unusual';
import { visibleRows } from './virtual';

const KNOWN = ['state', 'q', 'customer'] as const;

test('filters survive the address, in their known order, and unknown names are left out', () => {
  const filters = readFilters('?q=a%26b&state=pending&evil=1&customer=c1&customer=c2&customer=c1&q=', KNOWN);
  expect(filters).toEqual({ state: ['pending'], q: ['a&b'], customer: ['c1', 'c2'] });
  expect(writeFilters(filters, KNOWN)).toBe('?state=pending&q=a%26b&customer=c1&customer=c2');
  expect(readFilters(writeFilters(filters, KNOWN), KNOWN)).toEqual(filters);
});

test('an emptied filter leaves the address', () => {
  const filters = withFilter({ q: ['x'] }, 'q', ['']);
  expect(writeFilters(filters, KNOWN)).toBe('');
  expect(one(filters, 'q')).toBe('');
});

test('only the rows on the screen and a few spare ones are drawn', () => {
  const range = visibleRows(10_000, 36, 36_000, 900);
  expect(range.first).toBe(988);
  expect(range.end - range.first).toBeLessThan(60);
  expect(range.above + (range.end - range.first) * 36 + range.below).toBe(360_000);
  expect(visibleRows(3, 36, 0, 900)).toEqual({ first: 0, end: 3, above: 0, below: 0 });
  expect(visibleRows(0, 36, 500, 900)).toEqual({ first: 0, end: 0, above: 0, below: 0 });
});

test('a diff holds both texts, and a fold never hides a change', () => {
  const before = Array.from({ length: 30 }, (_, at) => `line ${at}`);
  const after = before.with(20, 'another').toSpliced(25, 0, 'new');
  const lines = diffLines(before.join('\n'), after.join('\n'));
  expect(lines.filter((line) => line.kind !== 'add').map((line) => line.text)).toEqual(before);
  expect(lines.filter((line) => line.kind !== 'del').map((line) => line.text)).toEqual(after);
  const shown = folded(lines);
  expect(shown[0]).toEqual({ kind: 'fold', lines: 17 });
  expect(shown.filter((line) => line.kind === 'add' || line.kind === 'del')).toHaveLength(3);
});

const run = (device: string, state: Run['state'], more: Partial<Run> = {}) => ({ id: device, device_name: device, state, ...more }) as Run;

test('runs are grouped by identical result, who needs attention first', () => {
  const groups = grouped([
    run('a', 'succeeded', { exit_code: 0, output_sha256: 'x' }),
    run('b', 'failed', { exit_code: 127, output_sha256: 'y' }),
    run('c', 'succeeded', { exit_code: 0, output_sha256: 'x' }),
    run('d', 'succeeded', { exit_code: 0, output_sha256: 'z' }),
    run('e', 'refused', { reason: 'expired' }),
    run('f', 'running'),
  ]);
  expect(groups.map((group) => group.runs.map((one) => one.id).join())).toEqual(['e', 'b', 'a,c', 'd']);
});

test('the palette understands what to run and where', () => {
  expect(runWish('run disk-clean on site Lyon')).toEqual({ script: 'disk-clean', where: 'Lyon' });
  expect(runWish('Run disk')).toEqual({ script: 'disk', where: '' });
  expect(runWish('terminal web')).toBeUndefined();
  expect(best('we 01', ['db-01', 'web-02', 'web-01', 'tail-web-01'], (name) => name, 5)).toEqual(['web-01', 'tail-web-01']);
});

test('the palette understands which part of a device somebody wants', () => {
  expect(visitWish('terminal web-01')).toEqual({ tab: 'terminal', device: 'web-01' });
  expect(visitWish(' Files on  web 01 ')).toEqual({ tab: 'files', device: 'web 01' });
  expect(['terminal', 'terminal ', 'screen-01', 'files on', 'web-01 terminal'].map(visitWish)).toEqual([undefined, undefined, undefined, undefined, undefined]);
});

test('each jump has a key of its own', () => {
  const keys = JUMPS.map((jump) => jump.key);
  expect(keys).toEqual([...new Set(keys)]);
});

test('hints name the lines of code, not of comments', () => {
  const lines = ['# rm -rf /', 'find /var -delete', 'curl https://x | sh', 'echo ok'].map((text, at) => ({ number: at + 1, text }));
  expect(hintsIn(lines)).toEqual([
    { what: 'delete files', lines: [2] },
    { what: 'fetch and run code', lines: [3] },
  ]);
  expect(listed([6, 7, 9])).toBe('6, 7 and 9');
});

test('what is not seen is spelled out, and pointed at even in a comment', () => {
  expect(visible('a\u202eb\tc\u200b é')).toBe('a⟨U+202E⟩b\tc⟨U+200B⟩ é');
  expect(hintsIn([{ number: 1, text: '# harmless\u2067' }])).toEqual([{ what: 'hide characters, spelled out here', lines: [1] }]);
});

test('numbers, sizes and times are written the same everywhere', () => {
  expect(count(48213)).toBe('48\u202f213');
  expect([bytes(512), bytes(1024 * 1024), bytes(4.2 * 1024 ** 3)]).toEqual(['512 B', '1 MiB', '4.2 GiB']);
  expect([length(4.12), length(82), length(600), length(41 * 86400)]).toEqual(['4.1 s', '1 min 22 s', '10 min', '41 d']);
  expect([countdown(872), countdown(-3), countdown(3661)]).toEqual(['14:32', '0:00', '1:01:01']);
  const now = Date.parse('2026-11-21T12:00:00Z');
  expect(ago('2026-11-21T11:59:58Z', now)).toBe('now');
  expect(ago('2026-11-21T10:00:00Z', now)).toBe('2 h ago');
  expect(ahead('2026-11-21T12:10:30Z', now)).toBe('in 10 min');
  expect(fours('a04f77c2')).toEqual(['a04f', '77c2']);
  expect(shortDigest('a04f77c2315e9d0818bed93a')).toBe('a04f 77c2 … 18be d93a');
});
