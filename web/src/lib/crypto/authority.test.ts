import { expect, test } from 'vitest';
import { authorityKit, authorityPin, makeAuthority, preAuthEncoding, rootBody, signRoot } from './authority';
import { base64, fromBase64, fromHex, hex, utf8 } from './bytes';

/** RFC 8032 section 7.1, test 1: the seed and its public key. */
const SEED = '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60';
const PUBLIC = 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a';
const PKCS8 = '302e020100300506032b657004220420';

const TENANT = 'ten_01k7zzzzzzzzzzzzzzzzzzzzzz';
const KEYS = { link: '11'.repeat(32), attestation: '22'.repeat(32), log: '33'.repeat(32), fresh: '44'.repeat(32), enrolment: '55'.repeat(32) };
const BODY = rootBody(TENANT, KEYS, PUBLIC, new Date('2026-11-21T22:24:49.123Z'));

const vectorKey = () => crypto.subtle.importKey('pkcs8', fromHex(PKCS8 + SEED), { name: 'Ed25519' }, false, ['sign']);

test('the encoding is DSSE v1', () => {
  expect(new TextDecoder().decode(preAuthEncoding('http://example.com/HelloWorld', utf8('hello world')))).toBe(
    'DSSEv1 29 http://example.com/HelloWorld 11 hello world',
  );
});

test('the root is compact JSON in the order that the format names', () => {
  expect(new TextDecoder().decode(BODY)).toBe(
    `{"type":"sallyport.root/1","tenant":"${TENANT}","version":1,"issued":"2026-11-21T22:24:49.000000Z","expires":"2028-11-21T22:24:49.000000Z",` +
      `"threshold":1,"authority":["${PUBLIC}"],"link":"${KEYS.link}","attestation":"${KEYS.attestation}",` +
      `"log":{"origin":"sallyport/${TENANT}","key":"${KEYS.log}"},"fresh":"${KEYS.fresh}","enrolment":"${KEYS.enrolment}"}`,
  );
});

test('the fixed vector: the signature over the root is the one that others make', async () => {
  const signature = await signRoot(await vectorKey(), BODY);
  expect(hex(signature)).toBe(
    'f978eb87fcf04ad673eafbccad6c5cc0094996c7902378b56ac049107ac7d116' +
      '6b6582f0ac3dcb388416f9dcf323fff8fdc38b0a5fd02fe14a6e233449b8690f',
  );
});

test('the pin is over the threshold and the sorted keys', async () => {
  const [one, other] = [fromHex(PUBLIC), fromHex('00'.repeat(32))];
  expect(await authorityPin([one], 1)).toBe('099ba330e5ff8a73311aab3cb6af33336c6b9b75a7a42f40a3fc723f79d478b1');
  expect(await authorityPin([one, other], 2)).toBe(await authorityPin([other, one], 2));
  expect(await authorityPin([one, other], 1)).not.toBe(await authorityPin([one, other], 2));
});

test('a fresh key signs what its public half verifies, and the kit holds the private half', async () => {
  const authority = await makeAuthority();
  const signature = await signRoot(authority.key, BODY);
  const verifier = await crypto.subtle.importKey('raw', fromHex(authority.publicHex), { name: 'Ed25519' }, false, ['verify']);
  const signed = preAuthEncoding('application/vnd.sallyport.root.v1+json', BODY);
  expect(await crypto.subtle.verify({ name: 'Ed25519' }, verifier, signature, signed)).toBe(true);
  const kit = JSON.parse(authorityKit(authority, { tenant: TENANT, server: 'https://rmm.example', made: new Date(0), pin: 'p' })) as Record<string, string>;
  const again = await crypto.subtle.importKey('pkcs8', fromBase64(kit.private_key_pkcs8 ?? ''), { name: 'Ed25519' }, false, ['sign']);
  expect(base64(await signRoot(again, BODY))).toBe(base64(signature));
});
