import { expect, test } from 'vitest';
import { pathWith } from './client';

test('a path is signed as the browser sends it, whatever a link made of an id', () => {
  expect(pathWith('jobs/job_01m82ahh7xw1713q0xhkhd0hy8/runs', { limit: 5 })).toBe('/v1/jobs/job_01m82ahh7xw1713q0xhkhd0hy8/runs?limit=5');
  for (const id of ['<img>', 'a b', 'é', '"x"', 'a?b', 'a#b', '\0', '%', '%zz', '😀', 'a\\b', '{x}', '`', '^', '|', '[1]', "it's"]) {
    const path = pathWith(`jobs/${id}`);
    expect(new URL(path, 'https://rmm.example').pathname, id).toBe(path);
  }
  expect(pathWith('me/addresses/2001%3Adb8%3A%3A1')).toBe('/v1/me/addresses/2001%3Adb8%3A%3A1');
});

test('a path goes nowhere else', () => {
  for (const id of ['..', '.', '%2e%2E', '.%2e']) expect(() => pathWith(`jobs/${id}/runs`), id).toThrow('There is nothing here');
});
