/** Open authorization requests: for the rail's count and the page. */

import type { Problem } from '$lib/api/problem';
import * as api from '$lib/api/routes';
import type { AuthorizationRequest } from '$lib/api/types';
import { gate } from './gate.svelte';
import { on, paced } from './live.svelte';
import { Resource } from './resource.svelte';

class Approvals {
  readonly #all = new Resource(() => api.requests(true));
  readonly load = this.#all.reload;

  get list(): AuthorizationRequest[] | undefined {
    return this.#all.value;
  }

  get problem(): Problem | undefined {
    return this.#all.problem;
  }

  get open(): AuthorizationRequest[] {
    return (this.list ?? []).filter((request) => request.state === 'open');
  }

  start(): () => void {
    void this.load();
    const again = paced(400, () => {
      void this.load();
      void gate.refresh();
    });
    const stops = [on('request', again), on('resync', again)];
    return () => stops.forEach((stop) => stop());
  }
}

export const approvals = new Approvals();
