import { expect, test } from 'vitest';
import { cleaned, pasteFacts, wantsAsking } from './paste';

test('one line goes in at once, several are asked about', () => {
  expect(wantsAsking('uptime')).toBe(false);
  expect(wantsAsking('uptime\n')).toBe(false);
  expect(wantsAsking('uptime\nrm -rf /tmp/x')).toBe(true);
  expect(wantsAsking('a\r\nb')).toBe(true);
});

test('the end of a bracketed paste cannot be hidden in the clipboard', () => {
  expect(cleaned('echo hi\u001b[201~\nrm -rf ~\n')).toBe('echo hi[201~\nrm -rf ~\n');
  expect(pasteFacts('a\u001b[201~\nb\u0007').removed).toBe(2);
});

test('tabs and lines stay', () => {
  expect(cleaned('a\tb\r\nc')).toBe('a\tb\nc');
});
