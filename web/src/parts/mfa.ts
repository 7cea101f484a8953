/** The three states of a second factor, and the states of accounts, as people see them. */

import type { AccountState, Mfa, User } from '$lib/api/types';
import type { Look } from './looks';

export const MFA_LOOKS: Record<Mfa, Look> = {
  active: { icon: 'shieldok', word: 'Active', tone: 'ok' },
  required: { icon: 'clock', word: 'Required, not activated', tone: 'wait' },
  off: { icon: 'ban', word: 'Off', tone: 'warn' },
};

/** An active account says nothing: quiet until something is unusual. */
export const ACCOUNT_LOOKS: Record<Exclude<AccountState, 'active'>, Look> = {
  invited: { icon: 'mail', word: 'Invited', tone: 'wait' },
  disabled: { icon: 'ban', word: 'Disabled', tone: 'off' },
  locked: { icon: 'lock', word: 'Locked', tone: 'bad' },
};

const times = (word: string, many: number): string[] => (many === 0 ? [] : [many === 1 ? word : `${word} ×${many}`]);

/** `passkey ×2, app`. */
export const factorWords = (user: Pick<User, 'factors'>): string => [...times('passkey', user.factors.passkeys), ...times('app', user.factors.totp)].join(', ');
