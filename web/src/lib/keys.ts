/** Keys: one listener per owner, silent while people type or a dialog is open. */

/** What a key does; false where it was not meant, so that another owner may take it. */
export type KeyMap = Record<string, (event: KeyboardEvent) => unknown>;

const EDITABLE = 'input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable=true]';

export function isTyping(event: KeyboardEvent): boolean {
  const target = event.composedPath()[0];
  return target instanceof Element && target.closest(EDITABLE) !== null;
}

export const dialogIsOpen = (): boolean => document.querySelector('[aria-modal="true"], [role="menu"]') !== null;

/** Written as `x`, `Shift+x`, `Ctrl+k`, `Enter`, `?`; letters with Shift keep their small form. */
export function nameOf(event: KeyboardEvent): string {
  const letter = /^[a-z]$/i.test(event.key);
  const key = letter ? event.key.toLowerCase() : event.key;
  const shift = event.shiftKey && (letter || event.key.length > 1) ? 'Shift+' : '';
  return `${event.ctrlKey || event.metaKey ? 'Ctrl+' : ''}${event.altKey ? 'Alt+' : ''}${shift}${key}`;
}

/** Listens on the whole page; returns how to stop. */
export function onKeys(map: KeyMap): () => void {
  const listener = (event: KeyboardEvent) => {
    if (event.defaultPrevented || event.isComposing || isTyping(event) || dialogIsOpen()) return;
    const action = map[nameOf(event)];
    if (!action) return;
    if (event.key === 'Enter' && event.target instanceof Element && event.target.closest('a, button, summary')) return;
    if (action(event) !== false) event.preventDefault();
  };
  addEventListener('keydown', listener);
  return () => removeEventListener('keydown', listener);
}
