/** Open authorization requests: for the rail's count and the page. */

import * as api from '$lib/api/routes';
import type { AuthorizationRequest } from '$lib/api/types';
import { gate } from './gate.svelte';
import { on, paced } from './live.svelte';

class Approvals {
  list = $state.raw<AuthorizationRequest[]>();

  get open(): AuthorizationRequest[] {
    return (this.list ?? []).filter((request) => request.state === 'open');
  }

  load = async (): Promise<void> => {
    this.list = await api.requests(true).catch(() => this.list);
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
