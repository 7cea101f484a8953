import type { RemoteSession } from '$lib/api/types';
import type { IconName } from '$parts/icons';
import type { Look } from '$parts/looks';

export const KINDS: Record<RemoteSession['kind'], { word: string; icon: IconName }> = {
  terminal: { word: 'Terminal', icon: 'terminal' },
  background: { word: 'Background', icon: 'cpu' },
  files: { word: 'Files', icon: 'folder' },
  viewer: { word: 'Screen', icon: 'device' },
};

/** The device page's tab where a session of that kind is at home. */
export const TABS: Record<RemoteSession['kind'], string> = { terminal: 'terminal', background: 'processes', files: 'files', viewer: 'screen' };

export const sessionLook = (session: Pick<RemoteSession, 'state'>): Look =>
  session.state === 'open' ? { icon: 'online', word: 'Open', tone: 'ok' } : { icon: 'offline', word: 'Ended', tone: 'off' };

const ENDS: Record<string, string> = {
  ended: 'ended', finished: 'finished', left: 'everybody left', revoked: 'access taken back', idle: 'idle too long', limit: 'time limit', consent_refused: 'refused at the machine',
  machine: 'ended by the machine', timed_out: 'time limit', cancelled: 'ended by a person', refused: 'refused by the device', lost: 'connection lost', expired: 'time limit',
};
export const endWord = (reason: string | null | undefined): string => (reason ? (ENDS[reason] ?? reason.replaceAll('_', ' ')) : '');
