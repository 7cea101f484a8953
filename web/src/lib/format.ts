/** How numbers, sizes, times and digests are written, everywhere the same. */

const THIN = '\u202f';
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** 48213 becomes `48 213`, with narrow spaces that do not break. */
export const count = (value: number): string => String(value).replace(/\B(?=(\d{3})+(?!\d))/g, THIN);

/** `1 device`, `37 devices`. */
export const counted = (value: number, one: string, many = `${one}s`): string => `${count(value)} ${value === 1 ? one : many}`;

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

export function bytes(value: number): string {
  let [at, rest] = [0, value];
  while (rest >= 1024 && at < UNITS.length - 1) [at, rest] = [at + 1, rest / 1024];
  const digits = at === 0 || rest >= 100 || Number.isInteger(rest) ? 0 : 1;
  return `${rest.toFixed(digits)} ${UNITS[at]}`;
}

/** Length of time in words: `4.1 s`, `1 min 22 s`, `3 h 5 min`, `41 d`. */
export function length(secs: number): string {
  if (secs < 10) return `${secs.toFixed(1)} s`;
  if (secs < 60) return `${Math.round(secs)} s`;
  const [days, hours, minutes] = [Math.floor(secs / 86400), Math.floor((secs % 86400) / 3600), Math.floor((secs % 3600) / 60)];
  if (days > 0) return hours > 0 && days < 3 ? `${days} d ${hours} h` : `${days} d`;
  if (hours > 0) return minutes > 0 ? `${hours} h ${minutes} min` : `${hours} h`;
  const rest = Math.round(secs % 60);
  return rest > 0 ? `${minutes} min ${rest} s` : `${minutes} min`;
}

/** Time that is left, as a clock: `14:32`, `1:04:00`. */
export function countdown(secs: number): string {
  const whole = Math.max(0, Math.ceil(secs));
  const two = (value: number) => String(value).padStart(2, '0');
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

export const secsBetween = (from: string, to: string | number): number =>
  ((typeof to === 'number' ? to : Date.parse(to)) - Date.parse(from)) / 1000;

/** `now`, `48 s ago`, `4 min ago`, `2 h ago`, `3 d ago`, then the date. */
export function ago(moment: string, now: number): string {
  const secs = (now - Date.parse(moment)) / 1000;
  if (secs < 5) return 'now';
  if (secs < 60) return `${Math.floor(secs)} s ago`;
  if (secs < 3600) return `${Math.floor(secs / 60)} min ago`;
  if (secs < 86400) return `${Math.floor(secs / 3600)} h ago`;
  if (secs < 30 * 86400) return `${Math.floor(secs / 86400)} d ago`;
  return day(moment, now);
}

/** `in 4 min`, for what lies ahead. */
export function ahead(moment: string, now: number): string {
  const secs = (Date.parse(moment) - now) / 1000;
  if (secs <= 0) return 'past';
  if (secs < 60) return `in ${Math.ceil(secs)} s`;
  return `in ${length(Math.floor(secs / 60) * 60)}`;
}

/** `12 Nov`, with the year where it is another one. */
export function day(moment: string, now: number): string {
  const date = new Date(moment);
  const text = `${date.getDate()} ${MONTHS[date.getMonth()]}`;
  return date.getFullYear() === new Date(now).getFullYear() ? text : `${text} ${date.getFullYear()}`;
}

export const clock = (moment: string): string => new Date(moment).toTimeString().slice(0, 8);

/** The exact time, in UTC, for titles and facts. */
export function exact(moment: string): string {
  const date = new Date(moment);
  return `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]} ${date.getUTCFullYear()} ${date.toISOString().slice(11, 19)} UTC`;
}

/** Groups of four, so that two people can read a digest to each other. */
export const fours = (value: string): string[] => value.match(/.{1,4}/g) ?? [];

/** `a04f 77c2 … 18be d93a`. */
export function shortDigest(value: string): string {
  const groups = fours(value);
  return groups.length <= 4 ? groups.join(' ') : [...groups.slice(0, 2), '…', ...groups.slice(-2)].join(' ');
}

/** `Ada Lovelace` becomes `AL`, `tech-1` becomes `T1`. */
export function initials(name: string): string {
  const words = name.split(/[\s\-_.@]+/).filter(Boolean);
  const [first, second] = [words[0] ?? '?', words[1]];
  return (second ? first.charAt(0) + second.charAt(0) : first.slice(0, 2)).toUpperCase();
}

/** The end of an id: enough to tell two apart by eye. */
export const shortId = (id: string): string => {
  const tail = id.slice(-8).toUpperCase();
  return `${tail.slice(0, 4)}-${tail.slice(4)}`;
};
