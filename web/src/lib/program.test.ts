import { expect, test } from 'vitest';
import { isAnswerTo, programIn, strayed } from './program';

const asked = (redirect: string) =>
  programIn(`?client_id=sallyport-cli&response_type=code&state=s&name=${encodeURIComponent('sallyport on <b>')}&redirect_uri=${encodeURIComponent(redirect)}`);

test('OA-23 a link that leads anywhere but to this computer is none', () => {
  for (const good of ['http://127.0.0.1:43210/callback', 'http://[::1]:1/callback']) expect(asked(good)?.redirect_uri).toBe(good);
  for (const evil of [
    'https://evil.example/callback',
    'http://127.0.0.1:80@evil.example/callback',
    'http://127.0.0.1.evil.example:80/callback',
    'http://127.0.0.1:80/callback/../x',
    'http://localhost:80/callback',
    'javascript:alert(1)//',
    'http://127.0.0.1:80/callback\n',
    '',
  ])
    expect(asked(evil), evil).toBeUndefined();
});

test('words come as they are, and one that is there twice counts as missing', () => {
  expect(asked('http://127.0.0.1:43210/callback')?.name).toBe('sallyport on <b>');
  expect(programIn('?redirect_uri=http://127.0.0.1:1/callback&redirect_uri=http://127.0.0.1:2/callback')).toBeUndefined();
  expect(programIn('?redirect_uri=http://127.0.0.1:1/callback&max_age=60')?.max_age).toBe(60);
});

test('OA-23 the browser goes to the program that asked and nowhere else', () => {
  const asks = asked('http://127.0.0.1:43210/callback');
  if (!asks) throw new Error('a good link');
  expect(isAnswerTo(asks, 'http://127.0.0.1:43210/callback?code=x')).toBe(true);
  expect(isAnswerTo(asks, 'http://127.0.0.1:432100/callback?code=x')).toBe(false);
  expect(isAnswerTo(asks, 'https://evil.example/?http://127.0.0.1:43210/callback?')).toBe(false);
});

test('an answer that leads elsewhere is said to have let nothing in, and where to begin again', () => {
  const problem = strayed();
  expect(problem.message).toBe('Nothing was let in from here');
  expect(problem.detail).toContain('Begin again at the program');
});
