/** The one session of a kind that a page uses for a device: found, opened, opened again. */

import { asProblem, type Problem } from '$lib/api/problem';
import type { Access, Kind } from '$lib/stream/answer';
import { type DeviceName, type Remote, remotes, type Wish } from './remote.svelte';

export class Holder {
  busy = $state(false);
  problem = $state.raw<Problem>();
  readonly #device: () => DeviceName;
  readonly #kind: Kind;

  constructor(device: () => DeviceName, kind: Kind) {
    this.#device = device;
    this.#kind = kind;
  }

  get remote(): Remote | undefined {
    return remotes.of(this.#device().id, this.#kind);
  }

  /** It can be asked: also while its link is being taken up again, where questions wait. */
  get live(): Remote | undefined {
    const remote = this.remote;
    return remote && (remote.phase === 'live' || remote.phase === 'reconnecting') ? remote : undefined;
  }

  open = async ({ runAs, access = 'control', record }: { runAs?: string | undefined; access?: Access; record?: Wish | undefined } = {}): Promise<void> => {
    if (this.busy) return;
    this.busy = true;
    this.problem = undefined;
    const before = this.remote;
    try {
      const { id, name } = this.#device();
      const opened = await remotes.open({ device: { id, name }, kind: this.#kind, runAs, access, record });
      if (opened && before) remotes.forget(before);
    } catch (error) {
      this.problem = asProblem(error);
    } finally {
      this.busy = false;
    }
  };
}
