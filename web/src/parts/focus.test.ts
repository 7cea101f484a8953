import { afterEach, beforeEach, expect, test, vi } from 'vitest';

/** As much of a page as the focus needs: what is disabled cannot take it, and has lost it by the next frame. */
class Part {
  disabled = false;
  isConnected = true;
  tabIndex = 0;
  constructor(readonly parentElement: Part | null = null) {}
  focus() {
    if (this.disabled || !this.isConnected) return;
    page.activeElement = this;
    page.focused({ target: this });
  }
  matches = () => this.disabled;
  hasAttribute = () => false;
  querySelector = () => null;
  querySelectorAll = () => [];
  addEventListener() {}
  removeEventListener() {}
  getClientRects = () => [{}];
}

const body = new Part();
const page = { body, activeElement: body, focused: (_: { target: Part }) => {}, addEventListener: (_: string, heard: (event: { target: Part }) => void) => (page.focused = heard) };
const watching = new Set<() => void>();
const changed = () => [...watching].forEach((seen) => seen());

class Watch {
  constructor(readonly seen: () => void) {}
  observe = () => void watching.add(this.seen);
  disconnect = () => void watching.delete(this.seen);
}

let open: () => () => void;

beforeEach(async () => {
  vi.stubGlobal('document', page);
  vi.stubGlobal('HTMLElement', Part);
  vi.stubGlobal('MutationObserver', Watch);
  vi.resetModules();
  page.activeElement = body;
  watching.clear();
  const { trapFocus } = await import('./focus');
  open = () => {
    const panel = new Part();
    const close = trapFocus(() => {})(panel as never) as () => void;
    expect(page.activeElement).toBe(panel);
    return () => {
      close();
      panel.isConnected = false;
      if (page.activeElement === panel) page.activeElement = body;
    };
  };
});
afterEach(() => vi.unstubAllGlobals());

/** A button that was pressed, is busy, and lost the focus by that. */
function pressed(): Part {
  const button = new Part(new Part(body));
  button.focus();
  button.disabled = true;
  page.activeElement = body;
  return button;
}

test('the focus returns to where it was', () => {
  const link = new Part(new Part(body));
  link.focus();
  open()();
  expect([page.activeElement, watching.size]).toEqual([link, 0]);
});

test('a button that is busy has its place kept, and gets the focus once it can take it', () => {
  const button = pressed();
  open()();
  expect(page.activeElement).toBe(button.parentElement);
  changed();
  expect(page.activeElement).toBe(button.parentElement);
  button.disabled = false;
  changed();
  expect([page.activeElement, watching.size]).toEqual([button, 0]);
});

test('whoever has gone on meanwhile stays there', () => {
  const button = pressed();
  open()();
  const other = new Part(body);
  other.focus();
  button.disabled = false;
  changed();
  expect([page.activeElement, watching.size]).toEqual([other, 0]);
});

test('what is no longer there is not waited for', () => {
  const button = pressed();
  const close = open();
  button.isConnected = false;
  close();
  expect([page.activeElement, watching.size]).toEqual([body, 0]);
});

test('where nothing had the focus, an old button that works is not brought back', () => {
  const link = new Part(new Part(body));
  link.focus();
  page.activeElement = body;
  open()();
  expect(page.activeElement).not.toBe(link);
});
