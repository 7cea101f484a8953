/** Routes about connections to other vendors' APIs. */

import { get, post } from './client';
import { guarded, whole } from './routes';
import type * as T from './types';

export const connections = () => whole<T.Page<T.Connection>>('connections');
export const connection = (id: string) => get<T.Connection>(`connections/${id}`);
export const calls = (id: string) => get<T.ConnectionCalls>(`connections/${id}/calls`);
export const create = (body: T.WantedConnection) => guarded('connections', body);
export const change = (id: string, body: T.WantedConnection) => guarded(`connections/${id}`, body, 'PUT');
export const stop = (id: string) => post<void>(`connections/${id}/stop`);
export const rotate = (id: string) => post<void>(`connections/${id}/rotate`);
