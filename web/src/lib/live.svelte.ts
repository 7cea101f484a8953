/** Live events from the server: one stream for the page, handed on by name, taken up again after each break. */

import { send } from '$lib/api/client';
import { Problem } from '$lib/api/problem';
import { eventsOf, waitBefore } from '$lib/api/sse';

type Listener = (data: unknown) => void;

const listeners = new Map<string, Set<Listener>>();

/** Silence after which the stream counts as dead; the server says something at least every 15 s. */
const SILENCE_MS = 45_000;

class Live {
  state = $state<'connecting' | 'live' | 'waiting'>('connecting');
  #stop: AbortController | undefined;
  #last: string | undefined;

  start(): void {
    if (this.#stop) return;
    this.#stop = new AbortController();
    void this.#run(this.#stop.signal);
  }

  stop(): void {
    this.#stop?.abort();
    this.#stop = undefined;
  }

  async #run(signal: AbortSignal): Promise<void> {
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        await this.#read(signal, () => (attempt = 0));
      } catch (error) {
        if (error instanceof Problem && error.status === 401) return this.stop();
      }
      if (signal.aborted) return;
      this.state = 'waiting';
      await new Promise((resolve) => setTimeout(resolve, waitBefore(attempt, Math.random())));
    }
  }

  async #read(signal: AbortSignal, opened: () => void): Promise<void> {
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), SILENCE_MS);
    const headers: Record<string, string> = { accept: 'text/event-stream' };
    if (this.#last) headers['Last-Event-ID'] = this.#last;
    try {
      const response = await send('GET', 'events', { headers, background: true, signal: AbortSignal.any([signal, silence.signal]) });
      this.state = 'live';
      opened();
      // Also at first: what changed between the page's own loading and this moment was told to nobody.
      tell('resync', undefined);
      const alive = () => {
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), SILENCE_MS);
      };
      for await (const event of eventsOf(response, alive)) {
        this.#last = event.id ?? this.#last;
        // `missed`: this reader was too slow for some notes, and loads again instead.
        tell(event.event === 'missed' ? 'resync' : event.event, parsed(event.data));
      }
    } finally {
      clearTimeout(timer);
    }
  }
}

function parsed(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch {
    return undefined;
  }
}

function tell(name: string, data: unknown): void {
  for (const listener of listeners.get(name) ?? []) listener(data);
}

export const live = new Live();

/** `device`, `job`, `run`, `output`, `request`, and `resync` once the stream is open, at first and after each break. Returns how to stop. */
export function on<T>(name: string, listener: (data: T) => void): () => void {
  const set = listeners.get(name) ?? new Set();
  listeners.set(name, set);
  set.add(listener as Listener);
  return () => set.delete(listener as Listener);
}

/** Calls at most once per `ms`, at the end of a burst's slice. */
export function paced(ms: number, action: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return () => {
    timer ??= setTimeout(() => {
      timer = undefined;
      action();
    }, ms);
  };
}
