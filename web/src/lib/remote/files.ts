/** What is asked in a files session: the messages of `pure/wire/src/stream/files.rs`. */

import { type Bytes, hex } from '$lib/crypto/bytes';
import { Sha256 } from '$lib/crypto/sha256';
import type { Control } from '$lib/stream/plain';
import { StreamError } from '$lib/stream/errors';
import type { Remote } from './remote.svelte';

export interface FileEntry {
  name: string;
  raw?: string;
  kind: 'file' | 'folder' | 'link' | 'other';
  size: number;
  mode: number;
  owner: string;
  group: string;
  modified: string;
  target?: string;
}

export interface Usage {
  bytes: number;
  files: number;
  folders: number;
}

export interface Preview {
  kind: 'text' | 'image' | 'binary';
  text: string | null;
  more: 'yes' | 'no';
}

interface Done {
  id: number;
  omitted?: number;
  entry?: FileEntry;
  offset?: number;
  sha256?: string;
  sent?: number;
  preview?: Preview;
  usage?: Usage;
}

const yes = (wanted: boolean): 'yes' | 'no' => (wanted ? 'yes' : 'no');

export async function listFolder(remote: Remote, path: string): Promise<{ entries: FileEntry[]; omitted: number }> {
  const entries: FileEntry[] = [];
  const push = (message: Control) => {
    if (message.t === 'part' && Array.isArray(message.entries)) entries.push(...(message.entries as FileEntry[]));
  };
  const done = await remote.ask<Done>('list', { path }, { push });
  return { entries, omitted: done.omitted ?? 0 };
}

export const statFile = (remote: Remote, path: string) => remote.ask<Done>('stat', { path }).then((done) => done.entry);
export const previewFile = (remote: Remote, path: string) => remote.ask<Done>('preview', { path });
export const makeFolder = (remote: Remote, path: string) => remote.ask<Done>('mkdir', { path });
export const renameFile = (remote: Remote, from: string, to: string, overwrite = false) => remote.ask<Done>('rename', { from, to, overwrite: yes(overwrite) });
export const setMode = (remote: Remote, path: string, mode: number) => remote.ask<Done>('chmod', { path, mode });
export const setOwner = (remote: Remote, path: string, owner: string | null, group: string | null) => remote.ask<Done>('chown', { path, owner, group });

const summing = (told: (usage: Usage) => void) => ({ push: (message: Control) => message.t === 'progress' && told(message.usage as Usage) });

export const removeFile = (remote: Remote, path: string, recursive: boolean, told: (usage: Usage) => void = () => {}) =>
  remote.ask<Done>('remove', { path, recursive: yes(recursive) }, summing(told)).then((done) => done.usage);
export const usageOf = (remote: Remote, path: string, told: (usage: Usage) => void) => remote.ask<Done>('usage', { path }, summing(told)).then((done) => done.usage);

export interface Transferring {
  signal: AbortSignal;
  moved: (bytes: number) => void;
}

/** Where what is read goes. */
export type Sink = (bytes: Bytes) => void | Promise<void>;

/** Reads a file from `offset` on, and checks at the end that all of it is what the device has. */
export async function readFile(remote: Remote, path: string, sum: Sha256, sink: Sink, { signal, moved }: Transferring, offset = 0): Promise<void> {
  const done = await received(remote, 'read', { path, offset, length: null }, signal, async (bytes) => {
    sum.update(bytes);
    await sink(bytes);
    moved(bytes.length);
  });
  if (done.sha256 && done.sha256 !== hex(sum.digest())) throw new StreamError('stream_broken', 'The file that came is not the one that the device read: their checksums differ. It may have changed meanwhile. Download it again.');
}

/** A folder as a tar, which must be the one that the device made. */
export async function readArchive(remote: Remote, path: string, sink: Sink, { signal, moved }: Transferring): Promise<void> {
  const sum = new Sha256();
  const done = await received(remote, 'archive', { path }, signal, async (bytes) => {
    sum.update(bytes);
    await sink(bytes);
    moved(bytes.length);
  });
  if (done.sha256 !== hex(sum.digest())) throw new StreamError('stream_broken', 'The folder that came is not the one that the device read: their checksums differ. Download it again.');
}

async function received(remote: Remote, t: string, fields: Record<string, unknown>, signal: AbortSignal, data: Sink): Promise<Done> {
  const { id, done } = remote.requests.begin<Done>(t, fields, { data });
  const stop = () => void remote.control({ t: 'abort', id }).catch(() => {});
  signal.addEventListener('abort', stop);
  try {
    const answer = await done;
    signal.throwIfAborted();
    return answer;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

const READ_AT_ONCE = 256 * 1024;

/** The digest of a file, piece by piece, with pauses for the page. */
export async function digestOf(file: Blob, { signal, moved }: Transferring): Promise<string> {
  const sum = new Sha256();
  for (let at = 0; at < file.size; at += 4 * READ_AT_ONCE) {
    signal.throwIfAborted();
    const bytes = new Uint8Array(await file.slice(at, at + 4 * READ_AT_ONCE).arrayBuffer());
    sum.update(bytes);
    moved(bytes.length);
  }
  return hex(sum.digest());
}

export interface Writing {
  path: string;
  sha256: string;
  mode?: number | undefined;
  overwrite: boolean;
}

/** Writes a file; goes on where an earlier attempt stopped. Gives the bytes that the device had already. */
export async function writeFile(remote: Remote, file: Blob, { path, sha256, mode, overwrite }: Writing, { signal, moved }: Transferring): Promise<void> {
  let failed: Error | undefined;
  const fields = { path, size: file.size, sha256, mode: mode ?? null, overwrite: yes(overwrite), resume: 'yes' };
  const { id, done } = remote.requests.begin<Done>('write', fields, { failed: (error) => (failed = error) }, true);
  const { offset = 0 } = await done;
  moved(offset);
  for (let at = offset; at < file.size; at += READ_AT_ONCE) {
    if (signal.aborted) await remote.control({ t: 'abort', id });
    signal.throwIfAborted();
    if (failed) throw failed;
    const bytes = new Uint8Array(await file.slice(at, at + READ_AT_ONCE).arrayBuffer());
    await remote.requests.data(id, bytes);
    moved(bytes.length);
  }
  if (failed) throw failed;
  const written = await remote.requests.more<Done>(id, 'commit');
  if (written.sha256 !== sha256) throw new StreamError('stream_broken', 'What the device wrote has another checksum than this file. Upload it again.');
}
