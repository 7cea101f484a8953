/** How rules and answers look: icon, word and colour, never one alone. */

import type { PostureRule, WhatIfAnswer, WhatIfStep, WhatIfWish, WhatIfWith } from '$lib/api/types';
import type { Look } from '$parts/looks';

export type PostureState = PostureRule['state'];

export const RULE_LOOKS: Record<PostureState, Look> = {
  critical: { icon: 'bad', word: 'Fix now', tone: 'bad' },
  warning: { icon: 'warn', word: 'Look at', tone: 'warn' },
  accepted: { icon: 'hourglass', word: 'Accepted', tone: 'off' },
  holds: { icon: 'done', word: 'Hold', tone: 'ok' },
  unseen: { icon: 'eyeoff', word: 'Cannot be seen', tone: 'off' },
};

export const STEP_LOOKS: Record<WhatIfStep['state'], Look> = {
  met: { icon: 'done', word: 'met', tone: 'ok' },
  wants: { icon: 'clock', word: 'wants', tone: 'wait' },
  refuses: { icon: 'bad', word: 'refuses', tone: 'bad' },
};

export const OUTCOME_LOOKS: Record<WhatIfAnswer['outcome'], Look> = {
  done: { icon: 'done', word: 'Done', tone: 'ok' },
  asks: { icon: 'clock', word: 'Waits for proofs', tone: 'wait' },
  link: { icon: 'mail', word: 'Not yet', tone: 'wait' },
  refused: { icon: 'bad', word: 'Refused', tone: 'bad' },
};

export const WITH_WORDS: Record<WhatIfWith, string> = {
  password_and_code: 'Password and code',
  passkey: 'Passkey',
  password: 'Password alone',
  recovery_code: 'Password and recovery code',
};

/** What can be wished for; the first ones are about devices. */
export const WISH_WORDS: Record<WhatIfWish, string> = {
  run_script: 'Run a script',
  remove_devices: 'Stop managing devices',
  open_terminal: 'Open a terminal',
  read_devices: 'See devices',
  read_audit: 'Read the audit log',
  create_installer: 'Make an installer',
  invite_user: 'Invite a technician',
  change_mfa_policy: 'Change the MFA policy',
  change_networks: 'Change networks',
};

export const COUNTED: WhatIfWish[] = ['run_script', 'remove_devices'];
