/** Focus inside of dialogs. */

import type { Attachment } from 'svelte/attachments';

const FOCUSABLE = 'a[href], button:not([disabled]), input:not([disabled]), select:not([disabled]), textarea:not([disabled]), [tabindex="0"], [contenteditable=true]';

const reachable = (root: Element): HTMLElement[] =>
  [...root.querySelectorAll<HTMLElement>(FOCUSABLE)].filter((element) => element.getClientRects().length > 0);

/** What took the focus last. */
let last: EventTarget | null = null;
globalThis.document?.addEventListener('focusin', (event) => (last = event.target));

/** Where the focus is, or was: a button that is disabled while it works has lost it by the time the panel opens. */
const holder = (): Element | null =>
  document.activeElement === document.body && last instanceof HTMLElement && last.matches(':disabled') ? last : document.activeElement;

/** Tab goes round inside of the element, Escape closes it, and the focus returns to where it was. */
export function trapFocus(onclose: () => void): Attachment<HTMLElement> {
  return (root) => {
    const before = holder();
    const wanted = root.querySelector<HTMLElement>('[data-autofocus]') ?? reachable(root)[0] ?? root;
    if (wanted === root) root.tabIndex = -1;
    wanted.focus({ preventScroll: true });
    const listener = (event: KeyboardEvent) => {
      if (event.key === 'Escape') {
        event.preventDefault();
        event.stopPropagation();
        onclose();
      } else if (event.key === 'Tab') turn(root, event);
    };
    root.addEventListener('keydown', listener);
    return () => {
      root.removeEventListener('keydown', listener);
      if (before instanceof HTMLElement && before !== document.body) giveBack(before);
    };
  };
}

/** What is still disabled gets the focus once it can take it. Until then, or for good, what it stands in keeps the place. */
function giveBack(to: HTMLElement): void {
  const place = to.parentElement;
  const settled = (): boolean => {
    if (!to.isConnected) return true;
    to.focus({ preventScroll: true });
    if (document.activeElement === to) return true;
    if (place && to.matches(':disabled')) {
      if (!place.hasAttribute('tabindex')) place.tabIndex = -1;
      place.focus({ preventScroll: true });
    }
    return false;
  };
  if (settled()) return;
  const watch = new MutationObserver(() => {
    // Whoever has gone on meanwhile stays there.
    const gone = document.activeElement !== document.body && document.activeElement !== place;
    if (gone || settled()) watch.disconnect();
  });
  watch.observe(document.body, { subtree: true, attributeFilter: ['disabled', 'inert'] });
}

function turn(root: HTMLElement, event: KeyboardEvent): void {
  const all = reachable(root);
  const [first, last] = [all[0], all.at(-1)];
  if (!first || !last) return;
  const edge = event.shiftKey ? first : last;
  if (document.activeElement === edge || !root.contains(document.activeElement)) {
    event.preventDefault();
    (event.shiftKey ? last : first).focus();
  }
}

/** Where tabs do not fit, the open one is brought into sight. */
export function showCurrent(tabs: HTMLElement): void {
  tabs.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
}
