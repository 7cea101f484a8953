import { expect, test } from 'vitest';
import { creationOptions, fromBase64url, requestOptions } from './webauthn';

const bytes = (source: BufferSource): number[] => [...new Uint8Array(source as ArrayBuffer)];

test('base64url is read with and without padding', () => {
  expect([...fromBase64url('-_8')]).toEqual([0xfb, 0xff]);
  expect([...fromBase64url('-_8=')]).toEqual([0xfb, 0xff]);
  expect([...fromBase64url('')]).toEqual([]);
});

test('options to make a passkey become bytes where the browser wants bytes', () => {
  const json = {
    challenge: 'AQID',
    rp: { id: 'localhost', name: 'Sallyport' },
    user: { id: 'BAU', name: 'robin@northwind.example', displayName: 'Robin' },
    pubKeyCredParams: [{ type: 'public-key', alg: -7 }],
    excludeCredentials: [{ type: 'public-key', id: '_w' }],
    authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
  };
  const options = creationOptions({ publicKey: json });
  expect(bytes(options.challenge)).toEqual([1, 2, 3]);
  expect(bytes(options.user.id)).toEqual([4, 5]);
  expect(options.user.displayName).toBe('Robin');
  expect(bytes(options.excludeCredentials?.[0]?.id as BufferSource)).toEqual([255]);
  expect(options.authenticatorSelection).toEqual(json.authenticatorSelection);
  expect(bytes(creationOptions(json).challenge)).toEqual([1, 2, 3]);
});

test('a challenge without names stays without names', () => {
  const options = requestOptions({ publicKey: { challenge: 'AQID', rpId: 'localhost', userVerification: 'required' }, mediation: 'conditional' });
  expect(bytes(options.challenge)).toEqual([1, 2, 3]);
  expect(options.allowCredentials).toEqual([]);
  expect(options.rpId).toBe('localhost');
});
