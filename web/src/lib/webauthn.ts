/** Passkeys: between the server's JSON (base64url inside, WebAuthn Level 3 section 5.1.9) and the browser's own objects. */

import type { Assertion, NewCredential } from '$lib/api/types';
import { type Bytes, base64url, fromBase64 } from '$lib/crypto/bytes';

type Json = Record<string, unknown>;

export const fromBase64url = (value: string): Bytes => {
  const plain = value.replaceAll('-', '+').replaceAll('_', '/');
  return fromBase64(plain.padEnd(Math.ceil(plain.length / 4) * 4, '='));
};

const written = (bytes: ArrayBuffer): string => base64url(new Uint8Array(bytes));

interface Described extends Json {
  id: string;
}

const described = (list: unknown): PublicKeyCredentialDescriptor[] =>
  (Array.isArray(list) ? (list as Described[]) : []).map((one) => ({ ...one, type: 'public-key', id: fromBase64url(one.id) }));

/** The server may put the options into a `publicKey` of their own, as `navigator.credentials` wants them. */
const inner = (options: unknown): Json => {
  const outer = options as Json;
  return (outer['publicKey'] ?? outer) as Json;
};

export function creationOptions(options: unknown): PublicKeyCredentialCreationOptions {
  const json = inner(options);
  const user = json['user'] as { id: string; name: string; displayName: string };
  return {
    ...(json as unknown as PublicKeyCredentialCreationOptions),
    challenge: fromBase64url(json['challenge'] as string),
    user: { ...user, id: fromBase64url(user.id) },
    excludeCredentials: described(json['excludeCredentials']),
  };
}

export function requestOptions(options: unknown): PublicKeyCredentialRequestOptions {
  const json = inner(options);
  return {
    ...(json as unknown as PublicKeyCredentialRequestOptions),
    challenge: fromBase64url(json['challenge'] as string),
    allowCredentials: described(json['allowCredentials']),
  };
}

export function attestationJson(credential: PublicKeyCredential): NewCredential {
  const response = credential.response as AuthenticatorAttestationResponse;
  return {
    id: credential.id,
    type: credential.type,
    response: {
      clientDataJSON: written(response.clientDataJSON),
      attestationObject: written(response.attestationObject),
      transports: response.getTransports(),
    },
  };
}

export function assertionJson(credential: PublicKeyCredential): Assertion {
  const response = credential.response as AuthenticatorAssertionResponse;
  return {
    id: credential.id,
    type: credential.type,
    response: {
      clientDataJSON: written(response.clientDataJSON),
      authenticatorData: written(response.authenticatorData),
      signature: written(response.signature),
      ...(response.userHandle && { userHandle: written(response.userHandle) }),
    },
  };
}
