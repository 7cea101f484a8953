/** The authority kit, read back: it signs a recovery in this browser, and nothing of it is sent. */

import { preAuthEncoding } from './authority';
import { base64, fromBase64, fromHex, hex, sha256, utf8 } from './bytes';

export const RECOVERY_TYPE = 'application/vnd.sallyport.recovery.v1+json';

export interface Kit {
  tenant: string;
  /** Where it was made. A page at another address should not get it. */
  server: string;
  made: string;
  pin: string;
  publicHex: string;
  key: CryptoKey;
}

/** Why a text is no kit, in words for people. */
export class NotAKit extends Error {}

/** Reads a kit's file. What it says of its key must be true, or it is damaged. */
export async function readKit(text: string): Promise<Kit> {
  const read = fieldsOf(text);
  const [tenant, server, publicHex] = [read('tenant'), read('server'), read('public_key')];
  try {
    const key = await crypto.subtle.importKey('pkcs8', fromBase64(read('private_key_pkcs8')), { name: 'Ed25519' }, false, ['sign']);
    const verifier = await crypto.subtle.importKey('raw', fromHex(publicHex), { name: 'Ed25519' }, false, ['verify']);
    const probe = utf8('a kit signs what it verifies');
    const signature = await crypto.subtle.sign({ name: 'Ed25519' }, key, probe);
    if (!(await crypto.subtle.verify({ name: 'Ed25519' }, verifier, signature, probe))) throw new NotAKit('Its two keys do not belong together.');
    return { tenant, server, made: read('made'), pin: read('authority_pin'), publicHex, key };
  } catch (error) {
    if (error instanceof NotAKit) throw error;
    throw new NotAKit('Its key cannot be read: the file is damaged, or this browser knows no Ed25519.');
  }
}

function fieldsOf(text: string): (name: string) => string {
  let kit: unknown;
  try {
    kit = JSON.parse(text);
  } catch {
    throw new NotAKit('This is not the kit: it is a file that is called sallyport-authority-….json.');
  }
  const fields = (typeof kit === 'object' && kit !== null ? kit : {}) as Record<string, unknown>;
  if (fields['type'] !== 'sallyport.authority-kit/1') throw new NotAKit('This is another file than the kit that was downloaded at set-up.');
  return (name) => {
    const value = fields[name];
    if (typeof value !== 'string') throw new NotAKit(`The kit is damaged: it has no ${name}.`);
    return value;
  };
}

export interface Asked {
  email: string;
  server: string;
  key: string;
  challenge: string;
}

/** The statement for exactly this challenge, account and browser, as the envelope that the server reads. */
export async function signRecovery(kit: Kit, asked: Asked): Promise<string> {
  const { email, server, key, challenge } = asked;
  const body = utf8(JSON.stringify({ type: 'sallyport.recovery/1', tenant: kit.tenant, email: email.trim().toLowerCase(), server, key, challenge }));
  const sig = new Uint8Array(await crypto.subtle.sign({ name: 'Ed25519' }, kit.key, preAuthEncoding(RECOVERY_TYPE, body)));
  const keyid = hex(await sha256(fromHex(kit.publicHex)));
  return JSON.stringify({ payloadType: RECOVERY_TYPE, payload: base64(body), signatures: [{ keyid, kind: 'native-ed25519', sig: base64(sig) }] });
}
