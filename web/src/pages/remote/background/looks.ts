import type { Look } from '$parts/looks';

/** systemd's states, as people read them. */
export function serviceLook(state: string, sub = ''): Look {
  if (state === 'failed') return { icon: 'bad', word: 'Failed', tone: 'bad' };
  if (state === 'active') return { icon: 'online', word: sub === 'exited' ? 'Done' : sub === 'running' || !sub ? 'Running' : `Active, ${sub}`, tone: 'ok' };
  if (state.endsWith('ing')) return { icon: 'hourglass', word: state.charAt(0).toUpperCase() + state.slice(1), tone: 'wait' };
  return { icon: 'offline', word: state === 'inactive' ? 'Stopped' : state || 'unknown', tone: 'off' };
}

const STARTS: Record<string, string> = { enabled: 'with the machine', disabled: 'by hand', static: 'with others', masked: 'never', indirect: 'with others', generated: 'generated', alias: 'as another', '': 'no unit file' };
export const startWord = (start: string): string => STARTS[start] ?? start;

const LEVELS = ['Emergency', 'Alert', 'Critical', 'Error', 'Warning', 'Notice', 'Info', 'Debug'];
export const levelWord = (priority: number): string => LEVELS[priority] ?? String(priority);
export const levelTone = (priority: number): string => (priority <= 3 ? 'bad' : priority === 4 ? 'warn' : priority >= 7 ? 'off' : '');
