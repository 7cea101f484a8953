import type { IconName } from '$parts/icons';

/** Where the rail, the palette and the `g` keys lead. */
export interface Jump {
  key: string;
  path: string;
  word: string;
  icon: IconName;
  /** Left out on phones, which see, approve and end. */
  wide?: boolean;
  /** Shown to those who may. */
  may?: string;
  /** Further paths that belong to it. */
  also?: string[];
}

export const JUMPS: Jump[] = [
  { key: 'd', path: '/devices', word: 'Devices', icon: 'device' },
  { key: 'e', path: '/search', word: 'Everything running', icon: 'search', wide: true },
  { key: 's', path: '/scripts', word: 'Scripts', icon: 'script', wide: true },
  { key: 'j', path: '/jobs', word: 'Jobs', icon: 'job' },
  { key: 't', path: '/automation/schedules', word: 'Schedules', icon: 'until', wide: true, may: 'jobs.read' },
  { key: 'r', path: '/sessions', word: 'Sessions', icon: 'terminal' },
  { key: 'a', path: '/approvals', word: 'Approvals', icon: 'approve' },
  { key: 'i', path: '/installers', word: 'Installers', icon: 'installer', wide: true },
  { key: 'u', path: '/audit', word: 'Audit', icon: 'audit', may: 'audit.read' },
  { key: 'y', path: '/security/posture', word: 'Security', icon: 'shield', wide: true, may: 'posture.read', also: ['/security'] },
  { key: 'c', path: '/automation/clients', word: 'API clients', icon: 'key', wide: true, may: 'clients.read' },
  { key: 'n', path: '/automation/connections', word: 'Connections', icon: 'network', wide: true, may: 'connections.read' },
  { key: 'w', path: '/automation/webhooks', word: 'Webhooks', icon: 'webhook', wide: true, may: 'webhooks.read' },
  { key: 'o', path: '/users', word: 'People', icon: 'people', wide: true, may: 'people.read', also: ['/roles'] },
  { key: 'p', path: '/profile', word: 'Profile', icon: 'user', wide: true },
];
