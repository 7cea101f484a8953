/** Pages by path, over the History API. */

class Place {
  path = $state(location.pathname);
  search = $state(location.search);
  /** Counts moves to another page; the shell shows that one and moves the focus then. */
  moves = $state(0);

  read(stays = false): void {
    if (location.pathname !== this.path && !stays) this.moves++;
    this.path = location.pathname;
    this.search = location.search;
  }
}

export const place = new Place();

export function go(href: string, how: 'push' | 'replace' = 'push'): void {
  if (how === 'push') history.pushState(null, '', href);
  else history.replaceState(null, '', href);
  place.read();
}

/** The page that is shown has another address from now on, and stays as it is: what is typed on it, and where. */
export function rename(href: string): void {
  history.replaceState(null, '', href);
  place.read(true);
}

export const replaceSearch = (search: string): void => go(`${location.pathname}${search}`, 'replace');

function linkOf(event: MouseEvent): string | undefined {
  const plain = event.button === 0 && !event.defaultPrevented && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  const link = plain && event.target instanceof Element ? event.target.closest('a') : null;
  if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return undefined;
  return link.pathname.startsWith('/v1/') ? undefined : link.pathname + link.search + link.hash;
}

export function startRouter(): void {
  addEventListener('popstate', () => place.read());
  document.addEventListener('click', (event) => {
    const href = linkOf(event);
    if (href === undefined) return;
    event.preventDefault();
    if (href !== location.pathname + location.search) go(href);
  });
}

export type Params = Record<string, string>;

/** Matches `/jobs/:id`; parts are decoded. */
export function matched(pattern: string, path: string): Params | undefined {
  const [want, have] = [pattern.split('/'), path.replace(/\/+$/, '').split('/')];
  if (want.length !== have.length) return undefined;
  const params: Params = {};
  for (const [at, part] of want.entries()) {
    const given = have[at] ?? '';
    if (part.startsWith(':')) {
      try {
        params[part.slice(1)] = decodeURIComponent(given);
      } catch {
        return undefined;
      }
    } else if (part !== given) return undefined;
  }
  return params;
}
