/** How each state looks: one table, so that a word, its icon and its colour never drift apart. */

import type { Device, Run, RunState } from '$lib/api/types';
import type { IconName } from './icons';

export interface Look {
  icon: IconName;
  word: string;
  tone: '' | 'ok' | 'warn' | 'bad' | 'wait' | 'off' | 'accent';
}

const look = (icon: IconName, word: string, tone: Look['tone']): Look => ({ icon, word, tone });

export function deviceLook(device: Pick<Device, 'state' | 'online'>): Look {
  if (device.state === 'pending') return look('pending', 'Pending', 'wait');
  if (device.state === 'quarantined') return look('shieldalert', 'Quarantined', 'bad');
  if (device.state === 'removed') return look('ban', 'Removed', 'off');
  return device.online ? look('online', 'Online', 'ok') : look('offline', 'Offline', 'off');
}

export const RUN_LOOKS: Record<RunState, Look> = {
  waiting: look('clock', 'Waiting', 'off'),
  delivered: look('clock', 'Delivered', 'off'),
  running: look('running', 'Running', 'wait'),
  succeeded: look('done', 'Done', 'ok'),
  failed: look('bad', 'Failed', 'bad'),
  refused: look('shieldx', 'Refused', 'bad'),
  cancelled: look('ban', 'Cancelled', 'off'),
  timed_out: look('timer', 'Out of time', 'bad'),
  output_limit: look('cut', 'Too much output', 'bad'),
  interrupted: look('warn', 'Interrupted', 'warn'),
  expired: look('hourglass', 'Lapsed', 'warn'),
};

/** The words after a run's icon: what a reader wants to know first. */
export function runWord(run: Run): string {
  if (run.state === 'failed') {
    if (run.exit_code != null) return `exit ${run.exit_code}`;
    if (run.signal != null) return `signal ${run.signal}`;
  }
  return RUN_LOOKS[run.state].word.toLowerCase();
}

export const CLASS_WORDS: Record<number, string> = { 0: 'read', 1: 'one device', 2: 'fleet', 3: 'trust or mass' };

/** Servers, laptops and desktops, as far as a name and an OS can tell. */
export function deviceIcon(device: Pick<Device, 'os' | 'name'>): IconName {
  if (/server|debian|ubuntu|rhel|red hat|alma|rocky|suse|alpine|amazon|oracle|fedora server|linux/i.test(device.os)) return 'server';
  return /macos|laptop|-lt-/i.test(`${device.os} ${device.name}`) ? 'laptop' : 'device';
}

/** `Debian GNU/Linux 12.8` as `Debian 12.8`: a column's worth. */
export const shortOs = (os: string): string =>
  os.replace(/\s*GNU\/Linux/, '').replace(/Red Hat Enterprise Linux/, 'RHEL').replace(/\s+LTS\b/, '').replace(/\s*\([a-z ]+\)$/i, '');

export const INTERPRETERS: { name: string; word: string }[] = [
  { name: 'bash', word: 'Bash' },
  { name: 'sh', word: 'POSIX shell' },
  { name: 'python3', word: 'Python 3' },
  { name: 'pwsh', word: 'PowerShell' },
];
