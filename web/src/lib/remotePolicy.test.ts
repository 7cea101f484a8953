import { expect, test } from 'vitest';
import type { RemotePolicy } from '$lib/api/types';
import { consentWord, policyLines, recordWords } from './remotePolicy';

const quiet = { record: 'never', consent: 'none', ask_secs: 60, unanswered: 'refuse' } as const;

test('what silence means is told only where somebody is asked', () => {
  expect(consentWord(quiet)).toBe('told nothing');
  expect(consentWord({ ...quiet, consent: 'ask', ask_secs: 20 })).toBe('asked first; silence for 20 s is no');
  expect(consentWord({ ...quiet, consent: 'ask', unanswered: 'allow' })).toBe('asked first; silence for 60 s is yes');
});

test('every rule has a line', () => {
  const policy: RemotePolicy = { terminal: { ...quiet, record: 'always' }, background: quiet, files: quiet, viewer: { ...quiet, consent: 'banner' }, clipboard: 'on', virtual_display: 'off' };
  expect(policyLines(policy)).toEqual([
    'Terminal: always recorded; the person is told nothing',
    'Background: never recorded; the person is told nothing',
    'Files: never recorded; the person is told nothing',
    'Screen: never recorded; the person is told who is connected',
    'Clipboard of screens: on',
    'Display where there is none: not made',
  ]);
});

test('whoever opens reads what is recorded, and chooses only where the rules leave it to them', () => {
  expect(recordWords('terminal', 'always')).toEqual({ word: 'The device records what the shell writes', choice: false });
  expect(recordWords('viewer', 'optional')).toEqual({ word: 'Record what the screen shows', choice: true });
  expect(recordWords('files', 'never')).toEqual({ word: 'Not recorded', choice: false });
});
