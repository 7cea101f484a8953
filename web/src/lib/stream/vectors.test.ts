import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { concat, fromHex, hex } from '$lib/crypto/bytes';
import { type CheckedGrant, checkAnswer, checkGrant } from './answer';
import { boundTo, GRANT_TYPE, readEnvelope } from './envelope';
import { openFrame, openResume, sealFrame, sealResume } from './frames';
import { type ClientKey, type Side, streamKeys } from './keys';
import { readPlain } from './plain';

interface Vectors {
  client_secret: string;
  client_key: string;
  device_key: string;
  device: string;
  thumbprint: string;
  grant: string;
  grant_digest: string;
  answer: string;
  frames: { from: Side; counter: number; plaintext: string; message: string }[];
  resumes: { from: Side; epoch: number; next: number; message: string }[];
}

/** Made by the device's own code, `pure/wire`. */
const vectors = JSON.parse(readFileSync(new URL('../../../../pure/wire/vectors/stream.json', import.meta.url), 'utf8')) as Vectors;
const PKCS8_X25519 = fromHex('302e020100300506032b656e04220420');

async function clientKey(): Promise<ClientKey> {
  const pkcs8 = concat(PKCS8_X25519, fromHex(vectors.client_secret));
  const key = await crypto.subtle.importKey('pkcs8', pkcs8, { name: 'X25519' }, false, ['deriveBits']);
  return { publicHex: vectors.client_key, public: fromHex(vectors.client_key), private: key };
}

const named = { thumbprint: vectors.thumbprint, device_key: vectors.device };

async function grant(key: ClientKey): Promise<CheckedGrant> {
  const payload = JSON.parse(new TextDecoder().decode(readEnvelope(vectors.grant, GRANT_TYPE).payload)) as { action: { open_remote_session: { kind: 'terminal'; access: 'control' } } };
  const { kind, access } = payload.action.open_remote_session;
  return checkGrant(vectors.grant, { kind, access, key }, named);
}

async function keys() {
  const key = await clientKey();
  return streamKeys(key, fromHex(vectors.device_key), await boundTo(readEnvelope(vectors.grant, GRANT_TYPE)));
}

test('the keys are bound to the very bytes of the grant', async () => {
  expect(hex(await boundTo(readEnvelope(vectors.grant, GRANT_TYPE)))).toBe(vectors.grant_digest);
});

test('the answer of a device is accepted, and its key taken', async () => {
  const key = await clientKey();
  expect(hex(await checkAnswer(new TextEncoder().encode(vectors.answer), await grant(key), key))).toBe(vectors.device_key);
});

test.each(vectors.frames.map((one) => [one.from, one.counter, one] as const))('frame %s %i is sealed and opened as the device does it', async (from, counter, one) => {
  const { seal } = await keys();
  expect(hex(await sealFrame(seal[from], BigInt(counter), fromHex(one.plaintext)))).toBe(one.message);
  const plain = await openFrame(seal[from], BigInt(counter), fromHex(one.message));
  expect(hex(plain)).toBe(one.plaintext);
  expect(readPlain(plain).type).toBe({ '00': 'ack', '01': 'control', '02': 'data' }[one.plaintext.slice(0, 2)]);
});

test.each(vectors.resumes.map((one) => [one.from, one.epoch, one] as const))('resume %s %i is sealed and opened as the device does it', async (from, epoch, one) => {
  const { resume } = await keys();
  expect(hex(await sealResume(resume[from], BigInt(epoch), BigInt(one.next)))).toBe(one.message);
  expect(await openResume(resume[from], fromHex(one.message))).toEqual({ epoch: BigInt(epoch), next: BigInt(one.next) });
});
