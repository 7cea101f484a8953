/** The set-up's steps towards the server, apart from their pages. */

import * as api from '$lib/api/routes';
import type { SetupDraft } from '$lib/api/types';
import { type AuthorityKey, authorityPin, rootBody, signRoot } from '$lib/crypto/authority';
import { base64, fromHex } from '$lib/crypto/bytes';
import { tokenIn } from '$lib/token';

const KEPT = 'setup-token';

/** The one-time token of the printed link. It leaves the address at once, so that no history keeps it. */
export function takeToken(): string {
  const given = tokenIn(location.hash);
  if (given) {
    sessionStorage.setItem(KEPT, given);
    history.replaceState(null, '', '/setup');
  }
  return given || (sessionStorage.getItem(KEPT) ?? '');
}

export const forgetToken = (): void => sessionStorage.removeItem(KEPT);

export const pinOf = (authority: AuthorityKey): Promise<string> => authorityPin([fromHex(authority.publicHex)], 1);

export async function finish(token: string, draft: SetupDraft, authority: AuthorityKey, code: string): Promise<string[]> {
  const body = rootBody(draft.tenant, draft.server_keys, authority.publicHex, new Date());
  const signature = await signRoot(authority.key, body);
  const done = await api.finishSetup({
    token,
    draft: draft.draft,
    code,
    root_body: base64(body),
    authority_key: authority.publicHex,
    root_signature: base64(signature),
  });
  return done.recovery_codes;
}
