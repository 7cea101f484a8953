/** Files on their way, in both directions: a few at once, each with progress, each can be stopped and taken up again. */

import { asProblem, type Problem } from '$lib/api/problem';
import type { Bytes } from '$lib/crypto/bytes';
import { Sha256 } from '$lib/crypto/sha256';
import { saveBlob } from '$lib/download';
import { digestOf, readArchive, readFile, type Sink, type Transferring, writeFile } from './files';
import type { Remote } from './remote.svelte';

export type TransferState = 'waiting' | 'checking' | 'moving' | 'done' | 'stopped' | 'failed';

/** At once; the device allows more, but they share one link. */
const AT_ONCE = 2;
/** How long back one looks to say how fast it goes. */
const LATELY_MS = 3000;
/** Above this a download goes straight to a file, where the browser can do that. */
const IN_MEMORY_BYTES = 64 * 1024 * 1024;

type Work = (transfer: Transfer, how: Transferring) => Promise<void>;

export class Transfer {
  readonly name: string;
  readonly way: 'up' | 'down';
  /** Unknown for archives. */
  readonly size: number | undefined;
  state = $state<TransferState>('waiting');
  moved = $state(0);
  problem = $state.raw<Problem>();
  /** Bytes a second, over the last moments. */
  rate = $state(0);
  readonly work: Work;
  readonly #remote: () => Remote | undefined;
  #stop = new AbortController();
  #marks: { at: number; moved: number }[] = [];
  #still: ReturnType<typeof setTimeout> | undefined;

  constructor(name: string, way: 'up' | 'down', size: number | undefined, remote: () => Remote | undefined, work: Work) {
    this.name = name;
    this.way = way;
    this.size = size;
    this.#remote = remote;
    this.work = work;
  }

  get over(): boolean {
    return this.state === 'done' || this.state === 'stopped' || this.state === 'failed';
  }

  /** Nothing moves while the link is lost; what was begun goes on with it. */
  get held(): boolean {
    return this.state === 'moving' && this.#remote()?.phase === 'reconnecting';
  }

  stop(): void {
    this.#stop.abort();
    if (this.state === 'waiting') this.state = 'stopped';
  }

  again(): void {
    this.#stop = new AbortController();
    this.state = 'waiting';
    this.problem = undefined;
    this.rate = 0;
    this.#marks = [];
    transfers.go();
  }

  async run(): Promise<void> {
    this.state = 'moving';
    const { signal } = this.#stop;
    try {
      await this.work(this, { signal, moved: (bytes) => this.#count(bytes) });
      this.state = 'done';
    } catch (error) {
      this.state = signal.aborted ? 'stopped' : 'failed';
      if (!signal.aborted) this.problem = asProblem(error);
    }
  }

  #count(bytes: number): void {
    this.moved += bytes;
    const now = performance.now();
    this.#marks = [...this.#marks.filter((mark) => now - mark.at < LATELY_MS), { at: now, moved: this.moved }];
    // Where nothing comes any more, nothing is said about how fast it comes.
    clearTimeout(this.#still);
    this.#still = setTimeout(() => (this.rate = 0), LATELY_MS);
    const first = this.#marks[0];
    if (first && now - first.at > 300) this.rate = ((this.moved - first.moved) / (now - first.at)) * 1000;
  }
}

class Transfers {
  list = $state.raw<Transfer[]>([]);

  add(transfer: Transfer): Transfer {
    this.list = [...this.list, transfer];
    this.go();
    return transfer;
  }

  go(): void {
    const running = this.list.filter((one) => one.state === 'moving' || one.state === 'checking').length;
    for (const next of this.list.filter((one) => one.state === 'waiting').slice(0, AT_ONCE - running)) void next.run().then(() => this.go());
  }

  clear(): void {
    this.list = this.list.filter((one) => !one.over);
  }
}

export const transfers = new Transfers();

export interface Upload {
  remote: () => Remote | undefined;
  file: File | Blob;
  name: string;
  path: string;
  overwrite: boolean;
  mode?: number | undefined;
  done?: () => void;
}

export function upload({ remote, file, name, path, overwrite, mode, done }: Upload): Transfer {
  let sha256: string | undefined;
  const work: Work = async (transfer, how) => {
    transfer.moved = 0;
    if (sha256 === undefined) {
      transfer.state = 'checking';
      sha256 = await digestOf(file, how);
      transfer.moved = 0;
      transfer.state = 'moving';
    }
    await writeFile(needed(remote()), file, { path, sha256, mode, overwrite }, how);
    done?.();
  };
  return transfers.add(new Transfer(name, 'up', file.size, remote, work));
}

/** A place for what comes: a file that the person chose, or memory. */
interface Place {
  sink: Sink;
  close(): Promise<void>;
}

async function place(name: string, size: number | undefined): Promise<Place> {
  const pick = (window as { showSaveFilePicker?: (options: { suggestedName: string }) => Promise<FileSystemFileHandle> }).showSaveFilePicker;
  if (pick && (size ?? Number.POSITIVE_INFINITY) > IN_MEMORY_BYTES) {
    const file = await pick.call(window, { suggestedName: name }).catch((fault: DOMException) => {
      // A browser that asks nobody now, since too long ago a button was pressed, keeps it in memory.
      if (fault.name !== 'SecurityError') throw fault;
    });
    if (file) {
      const writable = await file.createWritable();
      return { sink: (bytes) => writable.write(bytes), close: () => writable.close() };
    }
  }
  const parts: Bytes[] = [];
  // Parts are views of larger buffers: what is kept is copied.
  return { sink: (bytes) => void parts.push(bytes.slice()), close: async () => saveBlob(name, new Blob(parts)) };
}

/** Asks first where it goes: browsers want a press of a button for that. Nothing happens where the person changes their mind. */
export async function download(remote: () => Remote | undefined, path: string, name: string, size: number): Promise<void> {
  const chosen = await place(name, size).catch(() => undefined);
  if (!chosen) return;
  const sum = new Sha256();
  let at = 0;
  const sink: Sink = async (bytes) => {
    await chosen.sink(bytes);
    at += bytes.length;
  };
  transfers.add(
    new Transfer(name, 'down', size, remote, async (transfer, how) => {
      transfer.moved = at;
      await readFile(needed(remote()), path, sum, sink, how, at);
      await chosen.close();
    }),
  );
}

export async function downloadFolder(remote: () => Remote | undefined, path: string, name: string): Promise<void> {
  const chosen = await place(`${name}.tar`, undefined).catch(() => undefined);
  if (!chosen) return;
  transfers.add(
    new Transfer(`${name}.tar`, 'down', undefined, remote, async (transfer, how) => {
      transfer.moved = 0;
      await readArchive(needed(remote()), path, chosen.sink, how);
      await chosen.close();
    }),
  );
}

function needed(remote: Remote | undefined): Remote {
  if (remote) return remote;
  throw new Error('The files session is over. Open it again, then go on.');
}
