/** The device's answer: who it is, and which key it speaks with. Nothing is sent before it verifies. */

import { type Bytes, fromHex, hex, sha256, utf8 } from '$lib/crypto/bytes';
import { ANSWER_TYPE, boundTo, type Envelope, exactObject, GRANT_TYPE, readEnvelope, signedWith, targetLeaf } from './envelope';
import { StreamError } from './errors';
import type { ClientKey } from './keys';

export type Kind = 'terminal' | 'background' | 'files' | 'viewer';
export type Access = 'control' | 'view';

/** What this browser asked for; the grant must say the same. */
export interface Asked {
  session?: string;
  kind: Kind;
  access: Access;
  key: ClientKey;
}

/** The device that the server names; the grant's one target proves it. */
export interface NamedDevice {
  thumbprint: string;
  /** Raw Ed25519 public key, as hex. */
  device_key: string;
}

export interface CheckedGrant {
  id: string;
  session: string;
  kind: Kind;
  device: NamedDevice;
  bound: Bytes;
  runAs: string | null;
  consent: 'none' | 'banner' | 'ask';
  record: 'none' | 'session';
  clipboard: 'off' | 'both';
  idleSecs: number;
  maxSecs: number;
}

interface GrantBody {
  id: string;
  tenant: string;
  action: { open_remote_session?: Record<string, unknown> };
  targets: { count: number; root: string };
}

/** Reads the grant and holds it against what was asked: key, kind, access, session, and the one device. */
export async function checkGrant(text: string, asked: Asked, device: NamedDevice): Promise<CheckedGrant> {
  const grant = read(text);
  const open = grant.body.action.open_remote_session;
  const { targets, tenant } = grant.body;
  const fits =
    open !== undefined &&
    open.client_key === asked.key.publicHex &&
    open.kind === asked.kind &&
    open.access === asked.access &&
    (asked.session === undefined || open.session === asked.session) &&
    targets.count === 1 &&
    hex(await sha256(fromHex(device.device_key))) === device.thumbprint &&
    (await targetLeaf(tenant, device.thumbprint)) === targets.root;
  if (!fits) throw new StreamError('grant_foreign');
  return {
    id: grant.body.id,
    session: String(open.session),
    kind: asked.kind,
    device,
    bound: await boundTo(grant.envelope),
    runAs: typeof open.run_as === 'string' ? open.run_as : null,
    consent: open.consent as CheckedGrant['consent'],
    record: open.record as CheckedGrant['record'],
    clipboard: open.clipboard as CheckedGrant['clipboard'],
    idleSecs: Number(open.idle_secs),
    maxSecs: Number(open.max_secs),
  };
}

function read(text: string): { envelope: Envelope; body: GrantBody } {
  try {
    const envelope = readEnvelope(text, GRANT_TYPE);
    return { envelope, body: JSON.parse(new TextDecoder().decode(envelope.payload)) as GrantBody };
  } catch {
    throw new StreamError('grant_foreign');
  }
}

const FIELDS = ['type', 'grant', 'session', 'device', 'device_key', 'client_key'];

/** Verifies the first message of a stream; gives the device's X25519 key. */
export async function checkAnswer(message: Bytes, grant: CheckedGrant, key: ClientKey): Promise<Bytes> {
  try {
    const envelope = readEnvelope(new TextDecoder('utf-8', { fatal: true }).decode(message), ANSWER_TYPE);
    const body = exactObject(envelope.payload, FIELDS);
    const fits =
      body.type === 'sallyport.answer/1' &&
      body.grant === grant.id &&
      body.session === grant.session &&
      body.device === grant.device.thumbprint &&
      body.client_key === key.publicHex &&
      typeof body.device_key === 'string' &&
      body.device_key.length === 64;
    if (fits && (await signedWith(envelope, ANSWER_TYPE, fromHex(grant.device.device_key)))) return fromHex(String(body.device_key));
  } catch {
    // Garbage and forgery are told alike.
  }
  throw new StreamError('answer_forged');
}

/** Whether a repeated answer is the very same one. */
export const sameBytes = (left: Uint8Array, right: Uint8Array): boolean => left.length === right.length && left.every((byte, at) => byte === right[at]);

export const asBytes = (message: string | ArrayBuffer): Bytes => (typeof message === 'string' ? utf8(message) : new Uint8Array(message));
