import { expect, test } from 'vitest';
import { Problem } from './api/problem';
import { Attempt } from './attempt.svelte';

/** An act that goes on until it is let end, and counts how often it was begun. */
function held() {
  let end = () => {};
  const over = new Promise<void>((resolve) => (end = resolve));
  const made = { times: 0, act: () => (made.times++, over), end: () => end() };
  return made;
}

const fails = async () => {
  throw new Problem(409, { title: 'Taken', code: 'taken' });
};

test('it is busy while it runs, and answers that it went well', async () => {
  const [attempt, one] = [new Attempt(), held()];
  const asked = attempt.run(one.act);
  expect(attempt.busy).toBe(true);
  one.end();
  expect(await asked).toBe(true);
  expect([attempt.busy, attempt.problem]).toEqual([false, undefined]);
});

test('a second one while it runs does nothing, and leaves the first alone', async () => {
  const [attempt, one] = [new Attempt(), held()];
  const asked = attempt.run(one.act);
  expect(await attempt.run(one.act)).toBe(false);
  expect([one.times, attempt.busy, attempt.problem]).toEqual([1, true, undefined]);
  one.end();
  expect(await asked).toBe(true);
  expect(await attempt.run(one.act)).toBe(true);
  expect(one.times).toBe(2);
});

test('what is thrown is kept as a problem and goes no further, and it is busy no longer', async () => {
  const attempt = new Attempt();
  expect(await attempt.run(fails)).toBe(false);
  expect([attempt.busy, attempt.problem?.code]).toEqual([false, 'taken']);
  const faulty = () => {
    throw new Error('thrown before there was a promise');
  };
  expect(await attempt.run(faulty)).toBe(false);
  expect([attempt.busy, attempt.problem?.code]).toEqual([false, 'console.fault']);
});

test('the next one begins without the problem of the last', async () => {
  const [attempt, one] = [new Attempt(), held()];
  await attempt.run(fails);
  const asked = attempt.run(one.act);
  expect(attempt.problem).toBeUndefined();
  one.end();
  await asked;
  await attempt.run(fails);
  attempt.clear();
  expect(attempt.problem).toBeUndefined();
});

test('it can be handed around', async () => {
  const attempt = new Attempt();
  const { run } = attempt;
  expect(await run(fails)).toBe(false);
  expect(attempt.problem?.code).toBe('taken');
});
