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
  return given || (sessionStorage.getItem(keyOf(path)) ?? '');
}

export const forgetLinkToken = (): void => sessionStorage.removeItem(keyOf(location.pathname));
