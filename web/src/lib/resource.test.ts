import { beforeEach, expect, test } from 'vitest';
import { Resource } from './resource.svelte';

test('the same answer again is the same value, so that a form keeps what was typed; another one is taken', async () => {
  let name = 'a';
  const made = new Resource(async () => ({ name, rules: [1, 2] }));
  await made.reload();
  const first = made.value;
  await made.reload();
  expect(made.value).toBe(first);
  name = 'b';
  await made.reload();
  expect(made.value).toEqual({ name: 'b', rules: [1, 2] });
});

const answers: { take: (value: string) => void; refuse: (error: Error) => void }[] = [];
const asked = () => new Resource(() => new Promise<string>((take, refuse) => answers.push({ take, refuse })));
const settled = () => new Promise((after) => setTimeout(after));
beforeEach(() => void (answers.length = 0));

test('changes that come faster than answers keep no answer away, and a late one replaces none that is newer', async () => {
  const made = asked();
  void made.ask();
  void made.reload();
  void made.reload();
  answers[1]?.take('second');
  await settled();
  expect([made.value, made.loading]).toEqual(['second', true]);
  answers[0]?.take('first');
  await settled();
  expect(made.value).toBe('second');
  answers[2]?.refuse(new Error('away'));
  await settled();
  expect([made.value, made.problem !== undefined, made.loading]).toEqual(['second', true, false]);
});

test('what is answered to another question than the present one is not taken', async () => {
  const made = asked();
  void made.ask();
  void made.ask();
  answers[0]?.take('of the first');
  await settled();
  expect([made.value, made.loading]).toEqual([undefined, true]);
  answers[1]?.take('of the second');
  await settled();
  expect([made.value, made.loading]).toEqual(['of the second', false]);
});

test('an answer that came by another way is not replaced by one that was asked for before it', async () => {
  const made = asked();
  void made.ask();
  made.put('saved');
  expect([made.value, made.loading]).toEqual(['saved', false]);
  answers[0]?.take('read before');
  await settled();
  expect(made.value).toBe('saved');
  void made.reload();
  answers[1]?.take('read after');
  await settled();
  expect(made.value).toBe('read after');
});
