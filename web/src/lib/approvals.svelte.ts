/** Open authorization requests: for the rail's count and the page. */

import { asProblem, type Problem } from '$lib/api/problem';
import * as api from '$lib/api/routes';
import type { AuthorizationRequest } from '$lib/api/types';
import { gate } from './gate.svelte';
import { on, paced } from './live.svelte';

class Approvals {
  list = $state.raw<AuthorizationRequest[]>();
  problem = $state.raw<Problem>();

  get open(): AuthorizationRequest[] {
    return (this.list ?? []).filter((request) => request.state === 'open');
  }

  load = async (): Promise<void> => {
    try {
      this.list = await api.requests(true);
      this.problem = undefined;
    } catch (error) {
      this.problem = asProblem(error);
    }
  };

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
