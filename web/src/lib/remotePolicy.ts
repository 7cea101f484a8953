/** The rules for remote sessions in words, everywhere the same. */

import type { RemoteKindRules, RemotePolicy } from '$lib/api/types';

export const KINDS = ['terminal', 'background', 'files', 'viewer'] as const;
export type PolicyKind = (typeof KINDS)[number];

export const KIND_WORDS: Record<PolicyKind, { word: string; about: string }> = {
  terminal: { word: 'Terminal', about: 'A shell on the device' },
  background: { word: 'Background', about: 'Processes, services, logs, users, packages' },
  files: { word: 'Files', about: 'Browsing, moving and changing files' },
  viewer: { word: 'Screen', about: 'Seeing and taking control of the screen' },
};

export const RECORD_WORDS: Record<RemoteKindRules['record'], string> = {
  always: 'Always',
  optional: 'The opener decides',
  never: 'Never',
};

export const CONSENT_WORDS: Record<RemoteKindRules['consent'], string> = {
  none: 'Told nothing',
  banner: 'Told who is connected',
  ask: 'Asked first',
};

/** What a recording of a kind has. */
export const RECORDS: Record<PolicyKind, string> = {
  terminal: 'what the shell writes',
  background: 'what is asked and done',
  files: 'what is asked and done',
  viewer: 'what the screen shows',
};

/** What whoever opens a session reads: the words, and whether it is theirs to say. */
export const recordWords = (kind: PolicyKind, rule: RemoteKindRules['record']): { word: string; choice: boolean } => {
  if (rule === 'never') return { word: 'Not recorded', choice: false };
  return rule === 'always' ? { word: `The device records ${RECORDS[kind]}`, choice: false } : { word: `Record ${RECORDS[kind]}`, choice: true };
};

const RECORDED: Record<RemoteKindRules['record'], string> = { always: 'always recorded', optional: 'recorded as the opener says', never: 'never recorded' };

/** What the person at the machine meets: `asked first; silence for 60 s is no`. */
export const consentWord = (rules: Pick<RemoteKindRules, 'consent' | 'ask_secs' | 'unanswered'>): string =>
  rules.consent === 'ask'
    ? `asked first; silence for ${rules.ask_secs} s is ${rules.unanswered === 'allow' ? 'yes' : 'no'}`
    : CONSENT_WORDS[rules.consent].toLowerCase();

/** All rules, a line for each. */
export const policyLines = (policy: RemotePolicy): string[] => [
  ...KINDS.map((kind) => `${KIND_WORDS[kind].word}: ${RECORDED[policy[kind].record]}; the person is ${consentWord(policy[kind])}`),
  `Clipboard of screens: ${policy.clipboard}`,
  `Display where there is none: ${policy.virtual_display === 'on' ? 'made' : 'not made'}`,
];
