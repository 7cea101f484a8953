import type { RemoteSession } from '$lib/api/types';
import type { IconName } from '$parts/icons';
import type { Look } from '$parts/looks';

const KINDS: Record<string, { word: string; icon: IconName }> = {
  terminal: { word: 'Terminal', icon: 'terminal' },
  background: { word: 'Background', icon: 'cpu' },
  files: { word: 'Files', icon: 'folder' },
  viewer: { word: 'Screen', icon: 'device' },
};

export const kindLook = (kind: string): { word: string; icon: IconName } => KINDS[kind] ?? { word: kind, icon: 'terminal' };

/** The device page's tab where a session of that kind is at home. */
export const TABS: Record<string, string> = { terminal: 'terminal', background: 'processes', files: 'files', viewer: 'screen' };

export const sessionLook = (session: Pick<RemoteSession, 'state'>): Look =>
  session.state === 'open' ? { icon: 'online', word: 'Open', tone: 'ok' } : { icon: 'offline', word: 'Ended', tone: 'off' };

const ENDS: Record<string, string> = { ended: 'ended by a person', device: 'ended on the device', revoked: 'access taken back', limit: 'time limit', undelivered: 'never reached the device' };
export const endWord = (reason: string | null | undefined): string => (reason ? (ENDS[reason] ?? reason.replaceAll('_', ' ')) : '');
