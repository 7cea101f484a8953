/** Asking the browser for a passkey, with words for what can go wrong. */

import { Problem } from '$lib/api/problem';
import type { Assertion, NewCredential } from '$lib/api/types';
import { assertionJson, attestationJson, creationOptions, requestOptions } from './webauthn';

export const hasPasskeys = (): boolean => typeof PublicKeyCredential === 'function' && isSecureContext;

/** Whether the browser offers passkeys in the list that opens under the e-mail field. */
export async function offersInField(): Promise<boolean> {
  return hasPasskeys() && ((await PublicKeyCredential.isConditionalMediationAvailable?.().catch(() => false)) ?? false);
}

const FAULTS: Record<string, [string, string]> = {
  NotAllowedError: ['No passkey was used', 'The browser’s question was closed or took too long, or no passkey for this place is on this device. Try again, or use password and code.'],
  InvalidStateError: ['This device has a passkey for you already', 'Use another device or security key, or sign in with the one that is here.'],
  SecurityError: ['The browser allows no passkey at this address', 'Open the console at the address that your administrator gave you.'],
  NotSupportedError: ['This authenticator cannot make such a passkey', 'It must be able to check who you are, by fingerprint, face or PIN.'],
};

function refused(error: unknown): Problem {
  const name = error instanceof DOMException ? error.name : '';
  const [title, detail] = FAULTS[name] ?? ['The browser could not use a passkey', error instanceof Error ? error.message : 'Try again, or use password and code.'];
  return new Problem(0, { title, detail, code: name === 'NotAllowedError' ? 'passkey.not_used' : 'passkey.failed' });
}

async function asked(question: Promise<Credential | null>): Promise<PublicKeyCredential> {
  try {
    const credential = await question;
    if (credential instanceof PublicKeyCredential) return credential;
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw refused(error);
  }
  throw refused(new DOMException('', 'NotAllowedError'));
}

/** Makes a passkey on this device or on a key that is plugged in. */
export const createPasskey = async (options: unknown): Promise<NewCredential> =>
  attestationJson(await asked(navigator.credentials.create({ publicKey: creationOptions(options) })));

/** Answers a challenge. `conditional` waits until the person picks a passkey under the e-mail field. */
export const usePasskey = async (options: unknown, waiting?: { signal: AbortSignal }): Promise<Assertion> =>
  assertionJson(await asked(navigator.credentials.get({ publicKey: requestOptions(options), ...(waiting && { mediation: 'conditional', signal: waiting.signal }) })));
