/** What a schedule looks like, and what the form of a new one holds. */

import type { NewSchedule, Schedule, ScheduleState, ScheduleTiming, ScriptDetails } from '$lib/api/types';
import type { ChosenDevice } from '$lib/chosen.svelte';
import type { Look } from '$parts/looks';
import { argumentsOf, type Options } from '../run/wanted';

export const LOOKS: Record<ScheduleState, Look> = {
  active: { icon: 'online', word: 'Active', tone: 'ok' },
  paused: { icon: 'pause', word: 'Paused', tone: 'wait' },
  voided: { icon: 'shieldx', word: 'Void', tone: 'bad' },
  stopped: { icon: 'ban', word: 'Stopped', tone: 'off' },
  expired: { icon: 'hourglass', word: 'Ended', tone: 'off' },
};

const WHY: Record<string, string> = {
  script_changed: 'Its script has a newer version than the one that was published.',
  script_deleted: 'Its script was deleted.',
  group_grew: 'Its group means more devices than were published.',
  rule_changed: 'The rule of its group is not the one that was published: somebody changed the database.',
  publisher_gone: 'Whoever published it may no longer do so.',
  no_devices: 'None of its devices is left.',
  replaced: 'Another publication took its place.',
  not_me: 'Its publisher said "not me". Look at it before it goes on.',
};

/** Why it stands as it does, where something else than a person brought it there. */
export const whyWord = (schedule: Schedule): string => (schedule.why ? (WHY[schedule.why] ?? schedule.why) : '');

/** Whether publishing it anew, as things are now, makes sense. */
export const canRepublish = (schedule: Schedule): boolean => schedule.state !== 'active' && schedule.why !== 'script_deleted' && schedule.why !== 'replaced';

export const viewerZone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';

/** `Mon 23 Nov, 02:30` by the clock of a zone. */
export function inZone(moment: string, zone: string): string {
  const format = new Intl.DateTimeFormat('en-GB', { timeZone: zone, weekday: 'short', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  // Put together here, for the commas between the parts differ from browser to browser.
  const part = Object.fromEntries(format.formatToParts(new Date(moment)).map((one) => [one.type, one.value]));
  return `${part.weekday} ${part.day} ${part.month}, ${part.hour}:${part.minute}`;
}

export const DAYS: { word: string; name: string }[] = [
  { word: 'mon', name: 'Monday' },
  { word: 'tue', name: 'Tuesday' },
  { word: 'wed', name: 'Wednesday' },
  { word: 'thu', name: 'Thursday' },
  { word: 'fri', name: 'Friday' },
  { word: 'sat', name: 'Saturday' },
  { word: 'sun', name: 'Sunday' },
];

/** `22:00 to 04:00, Monday to Friday` */
export function windowWords(window: ScheduleTiming['window']): string {
  if (!window) return 'any time';
  const chosen = DAYS.filter((day) => window.days?.includes(day.word));
  const at = chosen.map((day) => DAYS.indexOf(day));
  const row = chosen.length > 2 && (at[at.length - 1] ?? 0) - (at[0] ?? 0) === chosen.length - 1;
  const days = chosen.length === 0 ? '' : row ? `, ${chosen[0]?.name} to ${chosen.at(-1)?.name}` : `, ${chosen.map((day) => day.name).join(', ')}`;
  return `${window.from} to ${window.to}${days}`;
}

export const PRESETS: { cron: string; word: string }[] = [
  { cron: '0 2 * * *', word: 'Each night' },
  { cron: '0 6 * * 1-5', word: 'Each working day' },
  { cron: '0 3 * * 0', word: 'Each Sunday' },
  { cron: '0 4 1 * *', word: 'Each month' },
  { cron: '0 * * * *', word: 'Each hour' },
];

export interface Wanted {
  name: string;
  cron: string;
  zone: string;
  days: number;
  windowFrom: string;
  windowTo: string;
  /** `sun` to `sat`; all of them where none is chosen. */
  windowDays: string[];
  lateMinutes: number;
  jitterMinutes: number;
  gapMinutes: number;
  atOnce: number;
  whom: 'devices' | 'group';
  customer: string;
  site: string;
  tag: string;
}

export const defaultWanted = (): Wanted => ({
  name: '',
  cron: '0 2 * * *',
  zone: viewerZone(),
  days: 90,
  windowFrom: '',
  windowTo: '',
  windowDays: [],
  lateMinutes: 60,
  jitterMinutes: 0,
  gapMinutes: 0,
  atOnce: 0,
  whom: 'devices',
  customer: '',
  site: '',
  tag: '',
});

/** What a schedule says, for publishing it anew. */
export const wantedOf = (schedule: Schedule): Wanted => ({
  ...defaultWanted(),
  name: schedule.name,
  cron: schedule.timing.cron,
  zone: schedule.timing.zone,
  windowFrom: schedule.timing.window?.from ?? '',
  windowTo: schedule.timing.window?.to ?? '',
  windowDays: schedule.timing.window?.days ?? [],
  lateMinutes: (schedule.timing.late_secs ?? 3600) / 60,
  jitterMinutes: (schedule.timing.jitter_secs ?? 0) / 60,
  gapMinutes: (schedule.timing.gap_secs ?? 0) / 60,
  atOnce: schedule.timing.at_once ?? 0,
  whom: schedule.group ? 'group' : 'devices',
  customer: schedule.group?.customer ?? '',
  site: schedule.group?.site ?? '',
  tag: schedule.group?.tag ?? '',
});

export function timingOf(wanted: Wanted, now: number): ScheduleTiming {
  const both = wanted.windowFrom !== '' && wanted.windowTo !== '';
  return {
    cron: wanted.cron.trim(),
    zone: wanted.zone.trim(),
    expires: new Date(now + wanted.days * 86_400_000).toISOString(),
    ...(both && { window: { from: wanted.windowFrom, to: wanted.windowTo, days: wanted.windowDays.length === DAYS.length ? [] : DAYS.map((day) => day.word).filter((day) => wanted.windowDays.includes(day)) } }),
    late_secs: Math.round(wanted.lateMinutes * 60),
    jitter_secs: Math.round(wanted.jitterMinutes * 60),
    gap_secs: Math.round(wanted.gapMinutes * 60),
    at_once: Math.round(wanted.atOnce),
  };
}

/** Why it cannot be asked for yet, in a few words. */
export function whyNot(wanted: Wanted, details: ScriptDetails | null, devices: ChosenDevice[]): string {
  if (!details) return 'Choose a script';
  if (wanted.name.trim() === '') return 'Name it';
  if (wanted.whom === 'devices' && devices.length === 0) return 'Choose devices';
  if ((wanted.windowFrom === '') !== (wanted.windowTo === '')) return 'The window needs both times';
  const secret = details.parameters.find((parameter) => parameter.secret && parameter.required);
  return secret ? `${secret.label || secret.name} is secret: it cannot be published` : '';
}

export function scheduleBody(wanted: Wanted, details: ScriptDetails, devices: ChosenDevice[], options: Options, values: Record<string, string>, replaces: string): NewSchedule {
  const group = wanted.whom === 'group';
  const value = (name: string, otherwise: string | null | undefined) => values[name] ?? otherwise ?? '';
  const given = details.parameters.filter((parameter) => !parameter.secret).map((parameter) => ({ name: parameter.name, value: value(parameter.name, parameter.default) }));
  return {
    name: wanted.name.trim(),
    script: details.script.id,
    version: details.script.version,
    devices: group ? [] : devices.map((device) => device.id),
    ...(group && { group: { ...(wanted.customer && { customer: wanted.customer }), ...(wanted.site && { site: wanted.site }), ...(wanted.tag.trim() && { tag: wanted.tag.trim() }) } }),
    arguments: argumentsOf(options.arguments),
    environment: given.filter((variable) => variable.value !== ''),
    ...(options.runAs.trim() && { run_as: options.runAs.trim() }),
    time_limit_secs: Math.round(options.minutes * 60),
    output_limit_bytes: Math.round(options.outputMib * 1024 * 1024),
    timing: timingOf(wanted, Date.now()),
    ...(replaces && { replaces }),
  };
}
