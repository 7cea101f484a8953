/** Customers and their sites: few, known to the whole shell. */

import * as api from '$lib/api/routes';
import type { Customer } from '$lib/api/types';

class Places {
  customers = $state.raw<Customer[]>([]);

  load = async (): Promise<void> => {
    this.customers = await api.customers().catch(() => this.customers);
  };

  customer(id: string): Customer | undefined {
    return this.customers.find((customer) => customer.id === id);
  }

  siteName(id: string): string {
    for (const customer of this.customers) {
      const site = customer.sites.find((one) => one.id === id);
      if (site) return site.name;
    }
    return '';
  }
}

export const places = new Places();
