/** The token of a mailed link stands behind the '#', where no server and no log sees it. It leaves the address at once, and stays for this tab. */

import { tokenIn } from './token';

const keyOf = (path: string) => `link-token${path}`;

export function takeLinkToken(): string {
  const path = location.pathname;
  const given = tokenIn(location.hash);
  if (given) {
    sessionStorage.setItem(keyOf(path), given);
    history.replaceState(null, '', path);
  }
  // A newer link that is opened in the same tab differs behind the '#' alone, which loads no page: it begins anew with that one.
  addEventListener('hashchange', () => location.pathname === path && tokenIn(location.hash) && location.reload());
  return given || (sessionStorage.getItem(keyOf(path)) ?? '');
}

export const forgetLinkToken = (): void => sessionStorage.removeItem(keyOf(location.pathname));
