/** Routes about API clients, and about programs that sign in as a person. */

import { get, post } from './client';
import { guarded } from './routes';
import type * as T from './types';

export const clients = () => get<T.ApiClients>('clients');
export const createClient = (body: T.NewApiClient) => guarded('clients', body);
export const changeClient = (id: string, body: T.ChangeApiClient) => guarded(`clients/${id}`, body, 'PUT');
export const stopClient = (id: string) => post<void>(`clients/${id}/stop`);

export const answerProgram = (body: T.ProgramAnswer) => post<T.ProgramRedirect>('me/programs', body);
