/** Proofs of possession in RFC 9449's shape, with the body's hash and the query as further claims. */

import { type Bytes, base64url, random, sha256, utf8 } from '$lib/crypto/bytes';
import type { BrowserKey } from './keystore';

export interface Signed {
  method: string;
  /** Absolute, query included. */
  url: string;
  body?: Bytes | undefined;
  nonce?: string | undefined;
  /** Seconds since 1970. */
  now: number;
}

const encoded = (value: object): string => base64url(utf8(JSON.stringify(value)));

async function claimsOf(request: Signed): Promise<object> {
  const query = request.url.indexOf('?');
  return {
    jti: base64url(random(18)),
    htm: request.method,
    htu: query < 0 ? request.url : request.url.slice(0, query),
    ...(query >= 0 && query + 1 < request.url.length && { htq: request.url.slice(query + 1) }),
    iat: Math.floor(request.now),
    ...(request.nonce !== undefined && { nonce: request.nonce }),
    ...(request.body !== undefined && { bh: base64url(await sha256(request.body)) }),
  };
}

/** The compact JWT that goes into the `DPoP` header. WebCrypto's ECDSA output is already JWS's r || s. */
export async function proof(key: BrowserKey, request: Signed): Promise<string> {
  const header = encoded({ typ: 'dpop+jwt', alg: 'ES256', jwk: key.jwk });
  const signed = `${header}.${encoded(await claimsOf(request))}`;
  const signature = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, key.privateKey, utf8(signed));
  return `${signed}.${base64url(new Uint8Array(signature))}`;
}
