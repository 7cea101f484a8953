/** One xterm, set up so that what a device writes stays inside of it: no titles, clipboards, links or windows of the page. */

import { FitAddon } from '@xterm/addon-fit';
import { SearchAddon } from '@xterm/addon-search';
import { Unicode11Addon } from '@xterm/addon-unicode11';
import { WebLinksAddon } from '@xterm/addon-web-links';
import { Terminal } from '@xterm/xterm';
import { paint } from './colours';
import { openStrictly } from './styles';

/** Titles, working folders, hyperlinks, clipboards, notifications and files: for programs that trust what runs in them. */
const SWALLOWED_OSC = [0, 1, 2, 7, 8, 9, 52, 99, 133, 777, 1337];

const FONT = '"JetBrains Mono Variable", ui-monospace, Menlo, Consolas, monospace';

export interface Screen {
  term: Terminal;
  fit: FitAddon;
  search: SearchAddon;
  host: HTMLElement;
}

export interface ScreenOptions {
  scrollback?: number;
  readOnly?: boolean;
  onlink?: (url: string) => void;
}

export function makeScreen({ scrollback = 10_000, readOnly = false, onlink }: ScreenOptions = {}): Screen {
  const term = new Terminal({
    allowProposedApi: true,
    fontFamily: FONT,
    fontSize: 13,
    lineHeight: 1.18,
    letterSpacing: 0,
    cursorBlink: !matchMedia('(prefers-reduced-motion: reduce)').matches,
    disableStdin: readOnly,
    scrollback,
    macOptionIsMeta: true,
    rightClickSelectsWord: true,
    // Escape sequences name one address and show another: only what is written out is a link.
    linkHandler: { activate: () => {} },
  });
  paint(term);
  const [fit, search] = [new FitAddon(), new SearchAddon()];
  term.loadAddon(fit);
  term.loadAddon(search);
  term.loadAddon(new Unicode11Addon());
  term.unicode.activeVersion = '11';
  if (onlink) term.loadAddon(new WebLinksAddon((event, url) => (event.ctrlKey || event.metaKey) && onlink(url)));
  for (const code of SWALLOWED_OSC) term.parser.registerOscHandler(code, () => true);
  const host = document.createElement('div');
  host.className = 'term__host';
  return { term, fit, search, host };
}

/** Opens it in its host once the host is on the page: sizes need the font and a place. */
export async function openScreen(screen: Screen): Promise<void> {
  if (screen.term.element) return;
  await Promise.allSettled([document.fonts.load(`13px ${FONT}`), document.fonts.load(`bold 13px ${FONT}`)]);
  if (!screen.term.element) openStrictly(() => screen.term.open(screen.host));
}
