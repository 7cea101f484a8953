import type { IconName } from '$parts/icons';

interface Kind {
  icon: IconName;
  tag: string;
  bad?: boolean;
}

/** By the longest known beginning of an entry's kind. */
const KINDS: Record<string, Kind> = {
  'device.enrolment_refused': { icon: 'shieldx', tag: 'Refused', bad: true },
  'device.quarantined': { icon: 'shieldalert', tag: 'Device', bad: true },
  device: { icon: 'device', tag: 'Device' },
  'factor.locked': { icon: 'lock', tag: 'Factor', bad: true },
  factor: { icon: 'key', tag: 'Factor' },
  recovery_code: { icon: 'key', tag: 'Recovery' },
  installer: { icon: 'installer', tag: 'Installer' },
  job: { icon: 'job', tag: 'Job' },
  'run.refused': { icon: 'shieldx', tag: 'Refused', bad: true },
  run: { icon: 'job', tag: 'Run' },
  'request.refused': { icon: 'bad', tag: 'Wrong code', bad: true },
  'request.denied': { icon: 'bad', tag: 'Denied' },
  'request.proved': { icon: 'approve', tag: 'Proof' },
  request: { icon: 'gate', tag: 'Request' },
  script: { icon: 'script', tag: 'Script' },
  program: { icon: 'terminal', tag: 'Sign-in' },
  device_code: { icon: 'terminal', tag: 'Sign-in' },
  'session.ended': { icon: 'out', tag: 'Session' },
  session: { icon: 'shieldok', tag: 'Sign-in' },
  'sign_in.failed': { icon: 'bad', tag: 'Summary', bad: true },
  setup: { icon: 'shieldok', tag: 'Set-up' },
  'session.elevated': { icon: 'shieldok', tag: 'Proof' },
  'factor.copied': { icon: 'shieldalert', tag: 'Factor', bad: true },
  'factor.reset_held': { icon: 'hourglass', tag: 'Factor' },
  password: { icon: 'lock', tag: 'Password' },
  address: { icon: 'place', tag: 'Address' },
  networks: { icon: 'network', tag: 'Networks' },
  policy: { icon: 'shield', tag: 'Policy' },
  'user.disabled': { icon: 'ban', tag: 'User' },
  user: { icon: 'user', tag: 'User' },
  role: { icon: 'people', tag: 'Role' },
  invitation: { icon: 'mail', tag: 'Invitation' },
  not_me: { icon: 'notme', tag: 'Not me', bad: true },
  'authority_kit.refused': { icon: 'shieldx', tag: 'Authority kit', bad: true },
  authority_kit: { icon: 'key', tag: 'Authority kit' },
  remote_session: { icon: 'terminal', tag: 'Remote session' },
  posture: { icon: 'shield', tag: 'Posture' },
  mail: { icon: 'mail', tag: 'Mail' },
  'client.stopped': { icon: 'ban', tag: 'API client', bad: true },
  client: { icon: 'key', tag: 'API client' },
  'connection.stopped': { icon: 'ban', tag: 'Connection', bad: true },
  'connection.refused': { icon: 'shieldx', tag: 'Connection', bad: true },
  'connection.rotation_failed': { icon: 'shieldalert', tag: 'Connection', bad: true },
  connection: { icon: 'network', tag: 'Connection' },
  'licence.refused': { icon: 'ban', tag: 'Licence', bad: true },
  licence: { icon: 'shieldok', tag: 'Licence' },
  'webhook.paused': { icon: 'pause', tag: 'Webhook', bad: true },
  webhook: { icon: 'webhook', tag: 'Webhook' },
  'schedule.voided': { icon: 'shieldx', tag: 'Schedule', bad: true },
  'schedule.missed': { icon: 'hourglass', tag: 'Schedule', bad: true },
  schedule: { icon: 'until', tag: 'Schedule' },
  customer: { icon: 'customer', tag: 'Customer' },
  site: { icon: 'place', tag: 'Site' },
  log: { icon: 'audit', tag: 'Log' },
};

export function kindOf(kind: string): Kind {
  const plain = kind.replace(/^(devices|scripts|recovery_codes|users|roles|passwords)\b/, (word) => word.slice(0, -1));
  return KINDS[plain] ?? KINDS[plain.split('.')[0] ?? ''] ?? { icon: 'audit', tag: plain.split('.')[0] ?? 'Entry' };
}

export const FILTER_KINDS = [
  { value: 'job.created', word: 'Jobs that began' },
  { value: 'job.ended', word: 'Jobs that ended' },
  { value: 'run.refused', word: 'Refusals by devices' },
  { value: 'request.created', word: 'Requests' },
  { value: 'request.proved', word: 'Proofs' },
  { value: 'request.denied', word: 'Denials' },
  { value: 'devices.approved', word: 'Approvals of devices' },
  { value: 'devices.removed', word: 'Removals of devices' },
  { value: 'device.enrolled', word: 'Enrolments' },
  { value: 'script.created', word: 'New scripts' },
  { value: 'script.saved', word: 'New versions of scripts' },
  { value: 'schedule.published', word: 'Published schedules' },
  { value: 'schedule.voided', word: 'Schedules that became void' },
  { value: 'installer.created', word: 'Installers' },
  { value: 'remote_session.opened', word: 'Remote sessions' },
  { value: 'session.opened', word: 'Sign-ins' },
  { value: 'sign_in.failed', word: 'Failed sign-ins' },
];
