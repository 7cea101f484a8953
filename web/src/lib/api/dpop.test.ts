import { expect, test } from 'vitest';
import { fromBase64, utf8 } from '$lib/crypto/bytes';
import { proof } from './dpop';
import { described, makeKeyPair } from './keystore';

const unpadded = (text: string) => fromBase64(text.replaceAll('-', '+').replaceAll('_', '/'));
const read = (part: string) => JSON.parse(new TextDecoder().decode(unpadded(part))) as Record<string, unknown>;

async function made(request: Partial<Parameters<typeof proof>[1]>) {
  const pair = await makeKeyPair();
  const key = await described(pair);
  const jwt = await proof(key, { method: 'POST', url: 'https://rmm.example/v1/jobs', now: 1_790_000_000.9, ...request });
  const [header = '', claims = '', signature = ''] = jwt.split('.');
  return { pair, key, header, claims, signature };
}

test('the header names type, algorithm and the public key alone', async () => {
  const { header, key } = await made({});
  expect(read(header)).toEqual({ typ: 'dpop+jwt', alg: 'ES256', jwk: key.jwk });
  expect(Object.keys(key.jwk)).toEqual(['kty', 'crv', 'x', 'y']);
});

test('method, URL without query, query, whole seconds, nonce and the hash of the body are claimed', async () => {
  const { claims } = await made({ url: 'https://rmm.example/v1/devices?q=a+b&site=%27', nonce: 'n1', body: utf8('{"a":1}') });
  const { jti, ...rest } = read(claims);
  expect(rest).toEqual({
    htm: 'POST',
    htu: 'https://rmm.example/v1/devices',
    htq: 'q=a+b&site=%27',
    iat: 1_790_000_000,
    nonce: 'n1',
    bh: 'AVq9f1zFei3ZS3WQ8ErYCEJzkF7jPsXOvq5iJ2qX-GI',
  });
  expect(String(jti).length).toBeGreaterThanOrEqual(22);
});

test('what is not there is not claimed', async () => {
  const { claims } = await made({});
  expect(Object.keys(read(claims)).sort()).toEqual(['htm', 'htu', 'iat', 'jti']);
});

test('the signature is 64 bytes of r and s and verifies over header and claims', async () => {
  const { pair, header, claims, signature } = await made({ nonce: 'n' });
  const bytes = unpadded(signature);
  expect(bytes.length).toBe(64);
  const verified = await crypto.subtle.verify({ name: 'ECDSA', hash: 'SHA-256' }, pair.publicKey, bytes, utf8(`${header}.${claims}`));
  expect(verified).toBe(true);
});

test('every proof has an id of its own, and the key cannot be taken out', async () => {
  const [one, other] = [await made({}), await made({})];
  expect(read(one.claims).jti).not.toBe(read(other.claims).jti);
  await expect(crypto.subtle.exportKey('jwk', one.pair.privateKey)).rejects.toThrow();
});
