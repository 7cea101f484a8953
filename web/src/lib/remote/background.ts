/** What a device tells in a background session: the rows of `pure/wire/src/stream/background.rs`. */

import type { Control } from '$lib/stream/plain';
import type { Remote } from './remote.svelte';

export interface ProcessRow {
  pid: number;
  /** When it began, opaque: together with the number it names the process. */
  started: number;
  since: string | null;
  parent: number;
  user: string;
  name: string;
  command: string;
  cpu_permille: number;
  memory_bytes: number;
  state: string;
  nice: number;
  threads: number;
  ports: { proto: string; address: string; port: number }[];
}

export interface ServiceRow {
  name: string;
  description: string;
  state: string;
  sub_state: string;
  start: string;
  pid: number;
  memory_bytes: number | null;
}

export interface LogLine {
  at: string;
  unit: string;
  priority: number;
  message: string;
  pid: number;
}

export interface ServiceDetails extends ServiceRow {
  result: string;
  exit_code: number;
  restarts: number;
  since: string | null;
  file: string;
  requires: string[];
  wants: string[];
  wanted_by: string[];
  after: string[];
  log: LogLine[];
}

export interface UserRow {
  name: string;
  terminal: string;
  origin: string;
  since: string | null;
}

export interface PackageRow {
  name: string;
  version: string;
  available: string | null;
}

export type ServiceChange = 'start' | 'stop' | 'restart' | 'enable' | 'disable';

interface Done {
  omitted?: number;
  signalled?: number;
  service?: ServiceDetails;
  updates?: 'apt' | 'dnf';
}

export interface Listed<T> {
  items: T[];
  omitted: number;
  updates: string | undefined;
}

/** A list that comes in parts under its name. */
async function list<T>(remote: Remote, name: string, fields: Record<string, unknown> = {}): Promise<Listed<T>> {
  const items: T[] = [];
  const push = (message: Control) => {
    const part = message[name];
    if (message.t === 'part' && Array.isArray(part)) items.push(...(part as T[]));
  };
  const done = await remote.ask<Done>(name, fields, { push });
  return { items, omitted: done.omitted ?? 0, updates: done.updates };
}

export const services = (remote: Remote) => list<ServiceRow>(remote, 'services');
export const users = (remote: Remote) => list<UserRow>(remote, 'users');
export const packages = (remote: Remote, q: string) => list<PackageRow>(remote, 'packages', { q: q || null });

export const service = (remote: Remote, name: string) => remote.ask<Done>('service', { name }).then((done) => done.service);
export const changeService = (remote: Remote, name: string, what: ServiceChange) => remote.ask<Done>('service_do', { name, what }).then((done) => done.service);

export const signalProcess = ({ pid, started }: ProcessRow, signal: 'term' | 'kill', tree: 'one' | 'tree', remote: Remote) =>
  remote.ask<Done>('signal', { pid, started, signal, tree }).then((done) => done.signalled ?? 0);
export const setPriority = ({ pid, started }: ProcessRow, nice: number, remote: Remote) => remote.ask<Done>('priority', { pid, started, nice });

/** All processes, then what changes, until the returned function is called. */
export function watchProcesses(remote: Remote, everyMs: number, changed: (rows: ProcessRow[], gone: { pid: number; started: number }[]) => void): { first: Promise<unknown>; stop: () => void } {
  const push = (message: Control) => {
    if (message.t === 'part') changed((message.processes ?? []) as ProcessRow[], []);
    else if (message.t === 'processes') changed((message.changed ?? []) as ProcessRow[], (message.gone ?? []) as { pid: number; started: number }[]);
  };
  const { id, done } = remote.requests.begin('watch_processes', { every_ms: everyMs }, { push }, true);
  return { first: done, stop: stopping(remote, id) };
}

export interface LogFilter {
  unit: string | null;
  priority: number | null;
  since: string | null;
  grep: string | null;
}

/** The journal's last lines and then new ones, until the returned function is called or it fails, before the first line or after. */
export function followLogs(remote: Remote, filter: LogFilter, lines: (lines: LogLine[]) => void, failed: (error: Error) => void): { first: Promise<unknown>; stop: () => void } {
  const push = (message: Control) => {
    if (message.t === 'log') lines((message.lines ?? []) as LogLine[]);
  };
  const { id, done } = remote.requests.begin('logs', { ...filter, follow: 'yes' }, { push, failed }, true);
  return { first: done, stop: stopping(remote, id) };
}

const stopping = (remote: Remote, id: number) => () => {
  remote.requests.drop(id);
  if (remote.phase !== 'ended') void remote.control({ t: 'stop', id }).catch(() => {});
};
