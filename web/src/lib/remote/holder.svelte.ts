/** The one session of a kind that a page uses for a device: found, opened, opened again. */

import { Attempt } from '$lib/attempt.svelte';
import type { Access, Kind } from '$lib/stream/answer';
import { type DeviceName, type Remote, remotes, type Wish } from './remote.svelte';

export class Holder extends Attempt {
  readonly #device: () => DeviceName;
  readonly #kind: Kind;

  constructor(device: () => DeviceName, kind: Kind) {
    super();
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

  open = async ({ runAs, access = 'control', record }: { runAs?: string | undefined; access?: Access; record?: Wish | undefined } = {}): Promise<boolean> =>
    this.run(async () => {
      const before = this.remote;
      const { id, name } = this.#device();
      const opened = await remotes.open({ device: { id, name }, kind: this.#kind, runAs, access, record });
      if (opened && before) remotes.forget(before);
    });
}
