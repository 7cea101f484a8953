/** Routes about factors, passwords, networks and addresses. */

import { get, patch, post, remove } from './client';
import { guarded, items } from './routes';
import type * as T from './types';

export const startPasskeySignIn = () => post<T.StartedAssertion>('sign-in/passkey/start');
export const finishPasskeySignIn = (ceremony: string, credential: T.Assertion) => post<T.Me>('sign-in/passkey/finish', { ceremony, credential });

export const startKit = () => post<T.KitChallenge>('sign-in/kit/start');
export const finishKit = (body: T.KitSignIn) => post<T.Me>('sign-in/kit/finish', body);

export const challenge = (purpose: T.ChallengePurpose) => post<T.StartedAssertion>('me/challenges', { purpose });
export const startPasskey = (proof?: T.FactorAnswer) => post<T.StartedRegistration>('me/passkeys/start', { proof });
export const finishPasskey = (body: { ceremony: string; name: string; credential: T.NewCredential }) => post<T.FreshRecoveryCode | undefined>('me/passkeys/finish', body);
export const startTotp = (proof?: T.FactorAnswer) => post<T.TotpDraft>('me/totp/start', { proof });
export const finishTotp = (body: { draft: string; name: string; code: string }) => post<T.FreshRecoveryCode | undefined>('me/totp/finish', body);
export const renameFactor = (id: string, name: string) => patch<void>(`me/factors/${id}`, { name });
export const removeFactor = (id: string) => guarded(`me/factors/${id}`, undefined, 'DELETE');
export const changePassword = (body: T.ChangePassword) => post<void>('me/password', body);
export const elevate = (proof: T.FactorAnswer) => post<T.Me>('me/elevate', { proof });
export const checkUp = (proof: T.FactorAnswer) => post<void>('me/check-up', { proof });

export const networks = () => get<T.NetworkPolicy>('policy/networks');
export const changeNetworks = (body: T.ChangeNetworks) => guarded('policy/networks', body, 'PUT');

/** 1 to 168 hours; 0 ends a pause. */
export const pauseVerification = (user: string, hours: number) => post<T.PausedAddressVerification>('policy/networks/pause', { user, hours });

export const addresses = () => get<T.Page<T.ApprovedAddress>>('me/addresses').then(items);
export const forgetAddress = (address: string) => remove<void>(`me/addresses/${encodeURIComponent(address)}`);
export const lookAtAddress = (token: string) => post<T.AddressToApprove>('addresses/look', { token });
export const approveAddress = (token: string) => post<void>('addresses/approve', { token });
