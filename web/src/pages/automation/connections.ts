/** What a connection looks like, and what the form of one holds. */

import type { AllowedRequests, Connection, ConnectionShape, ConnectionState, CredentialPlacement, HttpVerb, WantedConnection } from '$lib/api/types';
import type { Look } from '$parts/looks';

export const LOOKS: Record<ConnectionState, Look> = {
  active: { icon: 'online', word: 'Works', tone: 'ok' },
  rotation_failing: { icon: 'warn', word: 'Not replaced', tone: 'warn' },
  credential_refused: { icon: 'shieldx', word: 'Refused', tone: 'bad' },
  stopped: { icon: 'ban', word: 'Stopped', tone: 'off' },
  expired: { icon: 'hourglass', word: 'Expired', tone: 'off' },
};

/** Whether it can still be changed and stopped. */
export const lives = (one: Connection): boolean => one.state !== 'stopped';

const FAILURES: Record<string, string> = {
  unreachable: 'The vendor could not be reached.',
  refused: 'The vendor refused the request that replaces it.',
  unknown: 'Nobody knows yet whether the vendor heard of it. The next try asks.',
  no_secret: "The vendor's answer had no credential where it was looked for.",
  not_taken: 'The vendor does not take the new one, and still takes the old one.',
  neither: 'The vendor takes neither the old one nor the new one. Make one there, and give it to the connection.',
};

export const failureWord = (word: string): string => FAILURES[word] ?? word;

const OUTCOMES: Record<string, string> = {
  caller_refused: 'not for this caller',
  path_refused: 'path refused',
  rule_refused: 'not allowed',
  query_refused: 'query refused',
  credential_refused: 'vendor refused the credential',
  secret_in_answer: 'credential in the answer',
  answer_encoded: 'compressed answer',
  private_network: 'address not listed',
  name_unknown: 'name unknown',
  nobody_answers: 'nobody answers',
  tls: 'certificate not trusted',
  late: 'no answer in time',
  answer_too_large: 'answer too large',
  broken: 'connection broke',
};

/** The vendor's status, or why there is none. */
export const outcomeWord = (outcome: string | null | undefined): string => (outcome ? (OUTCOMES[outcome] ?? outcome) : 'under way');

export const outcomeIsGood = (outcome: string | null | undefined): boolean => !outcome || /^[23]/.test(outcome);

export function placementWord(placement: CredentialPlacement): string {
  if (placement.in === 'bearer') return 'Authorization: Bearer …';
  if (placement.in === 'basic') return `Authorization: Basic, as ${placement.user}`;
  return `${placement.name}: ${placement.prefix ?? ''}…`;
}

export const ruleText = (rule: AllowedRequests): string => `${rule.methods.join(',')} ${rule.path}`;

const VERBS: readonly HttpVerb[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** `GET,POST /tickets/**` in each line; undefined where one is none. */
export function rulesIn(text: string): AllowedRequests[] | undefined {
  const rules = linesIn(text).map((line) => {
    const [words, path] = [line.split(/\s+/)[0] ?? '', line.split(/\s+/).slice(1).join(' ')];
    const methods = words.toUpperCase().split(',').filter((word) => word !== '');
    const known = methods.filter((word): word is HttpVerb => VERBS.some((verb) => verb === word));
    return known.length > 0 && known.length === methods.length && path.startsWith('/') ? { methods: known, path } : undefined;
  });
  return rules.length > 0 && rules.every((rule) => rule !== undefined) ? rules : undefined;
}

/** `Name: value` in each line; undefined where one is none. */
export function headersIn(text: string): Record<string, string> | undefined {
  const pairs = linesIn(text).map((line) => {
    const at = line.indexOf(':');
    return at > 0 ? ([line.slice(0, at).trim(), line.slice(at + 1).trim()] as const) : undefined;
  });
  return pairs.every((pair) => pair !== undefined) ? Object.fromEntries(pairs) : undefined;
}

const linesIn = (text: string): string[] => text.split('\n').map((line) => line.trim()).filter((line) => line !== '');

/** Whether the credential has to be given anew: it was entrusted for one place. */
export function wantsSecret(before: Connection | undefined, wanted: Pick<WantedConnection, 'base_url' | 'credential' | 'rotation'>): boolean {
  if (before === undefined || before.secret_since === null || before.base_url !== wanted.base_url.trim().replace(/\/+$/, '')) return true;
  const otherHook = wanted.rotation != null && hookWord(wanted.rotation) !== (before.rotation == null ? '' : hookWord(before.rotation));
  return otherHook || placementWord(before.credential) !== placementWord(wanted.credential);
}

/** The request that replaces a credential, without how often. */
const hookWord = (hook: NonNullable<WantedConnection['rotation']>): string => [hook.method, hook.path, hook.body ?? '', hook.new.from, hook.new.from === 'answer' ? hook.new.pointer : ''].join('\n');

/** A connection's terms as lines, for comparing. */
export function termLines(shape: ConnectionShape, exact: (moment: string) => string): string[] {
  const rotation = shape.rotation;
  return [
    `to ${shape.base_url}`,
    placementWord(shape.credential),
    ...Object.entries(shape.headers).map(([name, value]) => `${name}: ${value}`),
    ...shape.allows.map(ruleText),
    ...(shape.callers.length > 0 ? shape.callers.map((id) => `for ${id}`) : ['for all who may use connections']),
    `${shape.per_minute} calls a minute`,
    `until ${exact(shape.expires)}`,
    ...(shape.check ? [`proved by GET ${shape.check}`] : []),
    ...(rotation ? [`replaced every ${rotation.every_days} days by ${rotation.method} ${rotation.path}`, ...(rotation.body ? [`with ${rotation.body}`] : []), rotation.new.from === 'answer' ? `the vendor makes it, at ${rotation.new.pointer}` : 'the server makes it'] : ['its credential stays']),
  ];
}
