/** Focus inside of dialogs. */

import type { Attachment } from 'svelte/attachments';

const FOCUSABLE = 'a[href], button:not([disabled]), input:not([disabled]), select:not([disabled]), textarea:not([disabled]), [tabindex="0"], [contenteditable=true]';

const reachable = (root: Element): HTMLElement[] =>
  [...root.querySelectorAll<HTMLElement>(FOCUSABLE)].filter((element) => element.getClientRects().length > 0);

/** Tab goes round inside of the element, Escape closes it, and the focus returns to where it was. */
export function trapFocus(onclose: () => void): Attachment<HTMLElement> {
  return (root) => {
    const before = document.activeElement;
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
      if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
    };
  };
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
