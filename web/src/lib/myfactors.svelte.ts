/** The signed-in person's factors: which ways to prove themselves the panels offer first. */

import * as api from '$lib/api/routes';
import type { Factor } from '$lib/api/types';
import { hasPasskeys } from './passkey';

class MyFactors {
  list = $state.raw<Factor[]>([]);
  readonly passkeys = $derived(this.list.filter((factor) => factor.kind === 'passkey'));
  readonly apps = $derived(this.list.filter((factor) => factor.kind === 'totp'));

  /** Whether this browser could use one of the passkeys. */
  get passkeyFirst(): boolean {
    return this.passkeys.length > 0 && hasPasskeys();
  }

  load = async (): Promise<Factor[]> => {
    this.list = await api.factors();
    return this.list;
  };
}

export const myFactors = new MyFactors();
