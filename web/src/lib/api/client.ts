/** One road to the server: every request is signed, nonces are renewed, problems become errors. */

import { type Bytes, utf8 } from '$lib/crypto/bytes';
import { proof } from './dpop';
import { browserKey } from './keystore';
import { Problem, problemFrom, unreachable } from './problem';

export type Query = Record<string, string | number | boolean | string[] | null | undefined>;

export interface Options {
  query?: Query;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  /** Polling that must not count as use of the session. */
  background?: boolean;
}

export interface Answer<T> {
  status: number;
  headers: Headers;
  value: T;
}

/** Reading that no key or pointer caused lately is the page's own doing, and no use of the session. */
const CAUSED_MS = 5000;
let lastInput = Date.now();
if (typeof addEventListener === 'function') {
  for (const kind of ['pointerdown', 'keydown', 'wheel']) addEventListener(kind, () => (lastInput = Date.now()), { capture: true, passive: true });
}

let nonce: string | undefined;
let firstNonce: Promise<void> | undefined;

/** Routes for people who are not signed in: what they refuse says nothing about a session. */
const ANONYMOUS = /^(?:sign-in|setup|invitations|not-me|addresses)(?:\/|$)/;

/** Told whenever the server no longer knows this session. */
let onSignedOut: (problem: Problem) => void = () => {};
export const whenSignedOut = (listener: (problem: Problem) => void): void => {
  onSignedOut = listener;
};

/** Told whenever this session waits for a factor: its address left the allowed networks. */
let onChallenged: () => void = () => {};
export const whenChallenged = (listener: () => void): void => {
  onChallenged = listener;
};

/** Told whenever something was refused because this person has no second factor yet. */
let onFactorMissing: (tried: 'reading' | 'changing') => void = () => {};
export const whenFactorMissing = (listener: typeof onFactorMissing): void => {
  onFactorMissing = listener;
};

/** What a browser sends as it stands. Anything else it would encode by itself, after the signature was made over other characters. */
const SENT_AS_IT_IS = /^(?:[\w.~!*'()-]|%[\dA-F]{2})*$/i;

/** One part of a path. Ids come from the address bar, so they are whatever somebody made of a link. */
function segment(part: string): string {
  if (/^(?:\.|%2e){1,2}$/i.test(part)) throw new Problem(404, { title: 'There is nothing here', detail: 'Check the address.', code: 'not_found' });
  return SENT_AS_IT_IS.test(part) ? part : encodeURIComponent(part);
}

/** A path with its query, exactly as it is sent and signed. */
export function pathWith(path: string, query: Query = {}): string {
  const fields = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === null || value === '') continue;
    for (const one of Array.isArray(value) ? value : [value]) fields.append(name, String(one));
  }
  const text = fields.toString();
  return `/v1/${path.split('/').map(segment).join('/')}${text && '?'}${text}`;
}

function remember(response: Response): void {
  nonce = response.headers.get('DPoP-Nonce') ?? nonce;
}

async function reach(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, { credentials: 'same-origin', cache: 'no-store', redirect: 'error', ...init });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw unreachable();
  }
}

async function askNonce(): Promise<void> {
  remember(await reach('/v1/nonce', { method: 'GET' }));
}

async function once(method: string, path: string, body: Bytes | undefined, options: Options): Promise<Response> {
  if (nonce === undefined) await (firstNonce ??= askNonce().finally(() => (firstNonce = undefined)));
  const url = location.origin + path;
  const headers = new Headers(options.headers);
  headers.set('DPoP', await proof(await browserKey(), { method, url, body, nonce, now: Date.now() / 1000 }));
  if (body) headers.set('content-type', 'application/json');
  const unasked = method === 'GET' && Date.now() - lastInput > CAUSED_MS;
  if (options.background || unasked) headers.set('x-sallyport-background', '1');
  const init: RequestInit = { method, headers, signal: options.signal ?? null };
  if (body) init.body = body;
  const response = await reach(url, init);
  remember(response);
  return response;
}

/** Sends, and once more where the server only wanted a newer nonce. */
export async function send(method: string, path: string, options: Options = {}): Promise<Response> {
  const body = options.body === undefined ? undefined : utf8(JSON.stringify(options.body));
  const target = pathWith(path, options.query);
  const first = await once(method, target, body, options);
  if (first.ok) return first;
  const problem = await problemFrom(first);
  if (problem.code !== 'use_dpop_nonce') throw noticed(problem, method, path);
  const second = await once(method, target, body, options);
  if (second.ok) return second;
  throw noticed(await problemFrom(second), method, path);
}

function noticed(problem: Problem, method: string, path: string): Problem {
  // A session that must prove more is still one.
  const ended = problem.status === 401 && problem.code !== 'insufficient_user_authentication';
  if (ended && !ANONYMOUS.test(path)) onSignedOut(problem);
  if (problem.code === 'address_left') onChallenged();
  if (problem.code === 'factor_required') onFactorMissing(method === 'GET' ? 'reading' : 'changing');
  return problem;
}

async function answered<T>(response: Response): Promise<Answer<T>> {
  const text = response.status === 204 ? '' : await response.text();
  return { status: response.status, headers: response.headers, value: (text ? JSON.parse(text) : undefined) as T };
}

export async function ask<T>(method: string, path: string, options?: Options): Promise<Answer<T>> {
  return answered<T>(await send(method, path, options));
}

export const get = async <T>(path: string, options?: Options): Promise<T> => (await ask<T>('GET', path, options)).value;
export const post = async <T>(path: string, body?: unknown, options?: Options): Promise<T> =>
  (await ask<T>('POST', path, { ...options, body })).value;
export const patch = async <T>(path: string, body: unknown, options?: Options): Promise<T> =>
  (await ask<T>('PATCH', path, { ...options, body })).value;
export const put = async <T>(path: string, body: unknown, options?: Options): Promise<T> =>
  (await ask<T>('PUT', path, { ...options, body })).value;
export const remove = async <T>(path: string, options?: Options): Promise<T> => (await ask<T>('DELETE', path, options)).value;
