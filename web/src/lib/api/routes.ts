/** Every route that the console uses, by name; those about people and about factors stand in files of their own. */

import { type Answer, ask, get, type Options, post, put, type Query, remove } from './client';
import type * as T from './types';

/** What a guarded operation answers: 202 with the frozen request, or 201 with what came of it. */
export type Guarded = Promise<Answer<T.AuthorizationRequest | T.ActionResult>>;

export const guarded = (path: string, body?: unknown, method = 'POST'): Guarded => ask(method, path, { body });

export const setupState = () => get<{ open: boolean }>('setup');
export const startSetup = (body: { token: string; tenant_name: string; name: string; email: string; password: string }) =>
  post<T.SetupDraft>('setup/start', body);
export const finishSetup = (body: {
  token: string;
  draft: string;
  code: string;
  root_body: string;
  authority_key: string;
  root_signature: string;
}) => post<{ recovery_codes: string[] }>('setup/finish', body);

export const signIn = (body: { email: string; password: string; code: string }) => post<unknown>('sign-in', body);
export const signOut = () => post<void>('sign-out');
export const me = (background = false) => get<T.Me>('me', { background });
export const codesSaved = () => post<void>('me/recovery-codes/saved');
export const newRecoveryCodes = () => guarded('me/recovery-codes');
export const sessions = () => every<T.Session>('me/sessions');
export const endSession = (id: string) => remove<void>(`me/sessions/${id}`);
export const endOtherSessions = () => remove<void>('me/sessions');
export const factors = () => get<T.Page<T.Factor>>('me/factors').then(items);

export const customers = () => every<T.Customer>('customers');
export const addCustomer = (name: string) => post<T.Customer>('customers', { name });
export const addSite = (customer: string, name: string) => post<{ id: string; name: string }>(`customers/${customer}/sites`, { name });

export const devices = (query: Query, background = false) => get<T.DevicePage>('devices', { query, background });
export const device = (id: string) => get<T.DeviceDetails>(`devices/${id}`);
export const inventory = (id: string) => get<T.Inventory>(`devices/${id}/inventory`);
export const setTags = (id: string, tags: string[]) => put<T.Device>(`devices/${id}/tags`, { tags });
export const approveDevices = (devices: string[]) => guarded('devices/approve', { devices });
export const removeDevices = (devices: string[]) => guarded('devices/remove', { devices });

export const installers = () => every<T.Installer>('installers');
export const createInstaller = (body: T.NewInstaller) => guarded('installers', body);
export const revokeInstaller = (id: string) => remove<void>(`installers/${id}`);

export const scripts = () => every<T.Script>('scripts');
export const script = (id: string, version?: number) => get<T.ScriptDetails>(`scripts/${id}`, { query: { version } });
export const addScript = (body: T.SaveScript) => post<T.ScriptDetails>('scripts', body);
export const saveScript = (id: string, body: T.SaveScript) => put<T.ScriptDetails>(`scripts/${id}`, body);
export const deleteScript = (id: string) => remove<void>(`scripts/${id}`);

export const jobs = (query: Query) => get<T.Page<T.Job>>('jobs', { query });
export const job = (id: string) => get<T.Job>(`jobs/${id}`);
export const runs = (id: string, query: Query) => get<T.Page<T.Run>>(`jobs/${id}/runs`, { query });
export const run = (id: string) => get<T.Run>(`runs/${id}`);
export const output = (id: string, after: number) => get<T.Output>(`runs/${id}/output`, { query: { after } });
export const createJob = (body: T.NewJob) => guarded('jobs', body);
export const cancelRun = (id: string) => post<void>(`runs/${id}/cancel`);
export const cancelJob = (id: string) => post<void>(`jobs/${id}/cancel`);

export const requests = (background = false) => every<T.AuthorizationRequest>('authorization-requests', { background });
export const request = (id: string, background = false) => get<T.AuthorizationRequest>(`authorization-requests/${id}`, { background });
export const prove = (id: string, proof: T.NewProof) => post<T.AuthorizationRequest>(`authorization-requests/${id}/proofs`, proof);
export const challengeOf = (id: string) => post<T.StartedAssertion>(`authorization-requests/${id}/passkey`);
export const deny = (id: string) => post<void>(`authorization-requests/${id}/deny`);

export const audit = (query: Query) => get<T.Page<T.AuditEntry>>('audit', { query });
export const checkpoint = () => get<T.Checkpoint>('audit/checkpoint');
export const auditProof = (index: number) => get<T.InclusionProof>(`audit/${index}/proof`);
export const trust = () => get<T.Trust>('trust');

/** Short lists come whole, as a page or as a bare list. */
export function items<I>(page: T.Page<I> | I[]): I[] {
  return Array.isArray(page) ? page : page.items;
}

/** The most that the server gives at once. */
export const MOST = 1000;

/** A list to its end, with what its first page says besides. */
export async function whole<P extends { items: unknown[]; next?: string | null }>(path: string, options: Options = {}): Promise<P> {
  const first = await get<P>(path, { ...options, query: { ...options.query, limit: MOST } });
  const items = [...first.items];
  for (let next = first.next; next; ) {
    const page = await get<P>(path, { ...options, query: { ...options.query, limit: MOST, cursor: next } });
    items.push(...page.items);
    next = page.next;
  }
  return { ...first, items, next: null };
}

/** The items of a list to its end. */
export const every = async <I>(path: string, options?: Options): Promise<I[]> => (await whole<T.Page<I>>(path, options)).items;

/** All pages of a list. */
export async function all<I>(page: (cursor: string | undefined) => Promise<T.Page<I>>): Promise<I[]> {
  const found: I[] = [];
  let cursor: string | undefined;
  do {
    const next = await page(cursor);
    found.push(...next.items);
    cursor = next.next ?? undefined;
  } while (cursor);
  return found;
}
