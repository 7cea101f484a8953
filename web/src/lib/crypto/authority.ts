/** The authority key: made in the owner's browser, kept by the owner, never sent. It signs the first trust root. */

import { type Bytes, base64, concat, hex, sha256, utf8 } from './bytes';

export const ROOT_TYPE = 'application/vnd.sallyport.root.v1+json';

export interface AuthorityKey {
  /** Raw Ed25519 public key, 32 bytes, as hex. */
  publicHex: string;
  /** PKCS #8, as base64: what the kit holds. */
  privatePkcs8: string;
  key: CryptoKey;
}

/** DSSE v1 pre-authentication encoding: what is signed in place of the bare body. */
export function preAuthEncoding(type: string, body: Uint8Array): Bytes {
  const name = utf8(type);
  return concat(utf8(`DSSEv1 ${name.length} ${type} ${body.length} `), body);
}

/** Makes a fresh key. It is extractable on purpose: the owner takes it away in the kit. */
export async function makeAuthority(): Promise<AuthorityKey> {
  const pair = (await crypto.subtle.generateKey({ name: 'Ed25519' }, true, ['sign', 'verify'])) as CryptoKeyPair;
  const raw = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey));
  const pkcs8 = new Uint8Array(await crypto.subtle.exportKey('pkcs8', pair.privateKey));
  return { publicHex: hex(raw), privatePkcs8: base64(pkcs8), key: pair.privateKey };
}

/** Signs a trust root body, byte for byte as the server proposed it. */
export async function signRoot(key: CryptoKey, body: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.sign({ name: 'Ed25519' }, key, preAuthEncoding(ROOT_TYPE, body)));
}

/** What every installer pins: SHA-256 over the threshold and the sorted keys. */
export async function authorityPin(keys: Uint8Array[], threshold: number): Promise<string> {
  const count = new Uint8Array(4);
  new DataView(count.buffer).setUint32(0, threshold);
  const sorted = [...keys].sort((left, right) => (hex(left) < hex(right) ? -1 : 1));
  return hex(await sha256(concat(utf8('sallyport.authority/1\n'), count, ...sorted)));
}

export interface KitFacts {
  tenant: string;
  server: string;
  made: Date;
  pin: string;
}

/** The file that the owner keeps. Text, so that it can be printed. */
export function authorityKit(authority: AuthorityKey, facts: KitFacts): string {
  const kit = {
    type: 'sallyport.authority-kit/1',
    read_me: 'Whoever holds this file can replace the keys that every device of this tenant obeys. Keep it offline, twice.',
    tenant: facts.tenant,
    server: facts.server,
    made: facts.made.toISOString(),
    authority_pin: facts.pin,
    public_key: authority.publicHex,
    private_key_pkcs8: authority.privatePkcs8,
  };
  return `${JSON.stringify(kit, null, 2)}\n`;
}

/** The server's public keys of one tenant, as hex: what the root names beside the authority. */
export interface RootKeys {
  link: string;
  attestation: string;
  log: string;
  fresh: string;
  enrolment: string;
}

const ROOT_YEARS = 2;

const written = (moment: Date): string => `${moment.toISOString().slice(0, 19)}.000000Z`;

/** The first trust root of a tenant: compact JSON, in the order that the format names. */
export function rootBody(tenant: string, keys: RootKeys, authority: string, now: Date): Bytes {
  const expires = new Date(now);
  expires.setUTCFullYear(now.getUTCFullYear() + ROOT_YEARS);
  return utf8(
    JSON.stringify({
      type: 'sallyport.root/1',
      tenant,
      version: 1,
      issued: written(now),
      expires: written(expires),
      threshold: 1,
      authority: [authority],
      link: keys.link,
      attestation: keys.attestation,
      log: { origin: `sallyport/${tenant}`, key: keys.log },
      fresh: keys.fresh,
      enrolment: keys.enrolment,
    }),
  );
}
