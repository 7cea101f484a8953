/** Where an id of an audit sentence leads. */

const PAGES: Record<string, string> = { dev: '/devices/', scr: '/scripts/', job: '/jobs/', usr: '/users/' };

export function linkTo(id: string): string {
  const kind = id.slice(0, 3);
  if (PAGES[kind]) return PAGES[kind] + id;
  if (kind === 'cus') return `/devices?customer=${id}`;
  if (kind === 'sit') return `/devices?site=${id}`;
  if (kind === 'ins') return '/installers';
  if (kind === 'whk') return `/automation/webhooks/${id}`;
  if (kind === 'cli') return '/automation/clients';
  if (kind === 'con') return `/automation/connections/${id}`;
  if (kind === 'sch') return `/automation/schedules/${id}`;
  if (kind === 'req') return '/approvals';
  if (kind === 'rol') return `/roles?role=${id}`;
  return `/audit?q=${encodeURIComponent(id)}`;
}
