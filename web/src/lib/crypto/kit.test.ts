import { expect, test } from 'vitest';
import { authorityKit, makeAuthority, preAuthEncoding } from './authority';
import { fromBase64, fromHex, hex, sha256 } from './bytes';
import { NotAKit, RECOVERY_TYPE, readKit, signRecovery } from './kit';

const FACTS = { tenant: 'ten_01k7zzzzzzzzzzzzzzzzzzzzzz', server: 'https://rmm.example', made: new Date('2026-11-22T10:00:00Z'), pin: 'p' };
const ASKED = { email: ' Owner@Nordwind.example ', server: 'https://rmm.example', key: '11'.repeat(32), challenge: 'once' };

test('REC-06: the kit of the set-up signs a recovery that its public key verifies, and that holds nothing of the key', async () => {
  const authority = await makeAuthority();
  const statement = await signRecovery(await readKit(authorityKit(authority, FACTS)), ASKED);
  expect(statement).not.toContain(authority.privatePkcs8);
  const envelope = JSON.parse(statement) as { payloadType: string; payload: string; signatures: { keyid: string; kind: string; sig: string }[] };
  expect(envelope.payloadType).toBe(RECOVERY_TYPE);
  const body = fromBase64(envelope.payload);
  expect(new TextDecoder().decode(body)).toBe(
    `{"type":"sallyport.recovery/1","tenant":"${FACTS.tenant}","email":"owner@nordwind.example","server":"https://rmm.example","key":"${ASKED.key}","challenge":"once"}`,
  );
  const [signature] = envelope.signatures;
  expect(signature?.keyid).toBe(hex(await sha256(fromHex(authority.publicHex))));
  const verifier = await crypto.subtle.importKey('raw', fromHex(authority.publicHex), { name: 'Ed25519' }, false, ['verify']);
  const verified = (type: string) => crypto.subtle.verify({ name: 'Ed25519' }, verifier, fromBase64(signature?.sig ?? ''), preAuthEncoding(type, body));
  expect(await verified(RECOVERY_TYPE)).toBe(true);
  expect(await verified('application/vnd.sallyport.root.v1+json'), 'it signs no root').toBe(false);
});

test('what is no kit says what is wrong with it', async () => {
  const [one, other] = [await makeAuthority(), await makeAuthority()];
  await expect(readKit('Sallyport recovery codes')).rejects.toThrow('sallyport-authority-');
  await expect(readKit('null')).rejects.toThrow(NotAKit);
  await expect(readKit('{"type":"something"}')).rejects.toThrow('another file');
  const kit = JSON.parse(authorityKit(one, FACTS)) as Record<string, string>;
  const { private_key_pkcs8: _, ...without } = kit;
  await expect(readKit(JSON.stringify(without))).rejects.toThrow('private_key_pkcs8');
  await expect(readKit(JSON.stringify({ ...kit, private_key_pkcs8: 'AAAA' }))).rejects.toThrow('cannot be read');
  await expect(readKit(JSON.stringify({ ...kit, public_key: other.publicHex }))).rejects.toThrow('do not belong together');
});
