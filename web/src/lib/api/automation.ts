/** Routes about API clients. */

import { get, post } from './client';
import { guarded } from './routes';
import type * as T from './types';

export const clients = () => get<T.ApiClients>('clients');
export const createClient = (body: T.NewApiClient) => guarded('clients', body);
export const stopClient = (id: string) => post<void>(`clients/${id}/stop`);
