import { expect, test } from 'vitest';
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
