/** Routes of remote sessions. */

import { get, pathWith, post, type Query, remove, send } from './client';
import type { Guarded } from './routes';
import { ask } from './client';
import type * as T from './types';

export const openRemoteSession = (body: T.NewRemoteSession): Guarded => ask('POST', 'remote-sessions', { body });
export const remoteSessions = (query: Query = {}) => get<T.Page<T.RemoteSession> | T.RemoteSession[]>('remote-sessions', { query }).then((page) => (Array.isArray(page) ? page : page.items));
export const remoteSession = (id: string) => get<T.RemoteSession>(`remote-sessions/${id}`);
export const endRemoteSession = (id: string) => remove<void>(`remote-sessions/${id}`);
export const newStreamTicket = (id: string, grant: string) =>
  post<{ ticket: string }>(`remote-sessions/${id}/tickets`, { grant }, { background: true }).then(({ ticket }) => ticket);
export const remotePolicy = () => get<T.StoredRemotePolicy>('policy/remote');
export const changeRemotePolicy = (body: T.ChangeRemotePolicy): Guarded => ask('PUT', 'policy/remote', { body });
export const recording = (id: string) => send('GET', `remote-sessions/${id}/recording`);

/** Opens the socket of one attachment; the ticket goes where no log and no history keeps it. */
export function dialStream(ticket: string): WebSocket {
  const url = new URL(pathWith('remote-sessions/stream'), location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return new WebSocket(url, ['sallyport.stream.v1', `ticket.${ticket}`]);
}

export const search = (query: Query) => get<T.Page<T.FoundOn>>('search', { query });
/** Asks every connected device what it has now; says how many were asked. They answer within seconds, each with an event. */
export async function refreshSearch(): Promise<number> {
  let [asked, after] = [0, undefined as string | undefined];
  do {
    const told = await post<T.RefreshedSearch>('search/refresh', after === undefined ? {} : { after });
    asked += told.asked;
    after = told.next ?? undefined;
  } while (after !== undefined);
  return asked;
}
export const searchTable = (query: Query) => send('GET', 'search', { query: { ...query, format: 'csv' } }).then((response) => response.text());
