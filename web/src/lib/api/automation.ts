/** Routes about API clients, and about programs that sign in as a person. */

import { get, post } from './client';
import { guarded, whole } from './routes';
import type * as T from './types';

export const clients = () => whole<T.ApiClients>('clients');
export const createClient = (body: T.NewApiClient) => guarded('clients', body);
export const changeClient = (id: string, body: T.ChangeApiClient) => guarded(`clients/${id}`, body, 'PUT');
export const client = (id: string) => get<T.ApiClient>(`clients/${id}`);
export const stopClient = (id: string) => post<void>(`clients/${id}/stop`);

export const licences = (client: string) => get<T.Licences>(`clients/${client}/licences`);
export const issueLicence = (client: string, body: T.NewLicence) => guarded(`clients/${client}/licences`, body);
export const licenceFile = (id: string) => get<T.LicenceFile>(`licences/${id}/file`);
export const revokeLicence = (id: string) => post<void>(`licences/${id}/revoke`);

export const lookAtProgram = (user_code: string) => post<T.WaitingProgram>('me/device-codes/look', { user_code });
export const answerWaitingProgram = (body: T.DeviceCodeAnswer) => post<void>('me/device-codes/answer', body);
export const answerProgram = (body: T.ProgramAnswer) => post<T.ProgramRedirect>('me/programs', body);
