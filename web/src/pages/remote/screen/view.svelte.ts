/** One screen on the page: noVNC over the stream. It stays when another page is shown. */

import RFB from '@novnc/novnc';
import { ScreenChannel } from '$lib/remote/channel';
import type { Remote } from '$lib/remote/remote.svelte';
import { remember, remembered } from '$lib/theme.svelte';
import type { Control } from '$lib/stream/plain';

export interface Display {
  name: string;
  title: string;
}

export type Scaling = 'fit' | 'full' | 'resize';

/** Quality of pictures and effort of compression, from 0 to 9. */
export const QUALITIES = { best: [9, 2], good: [7, 3], low: [3, 6] } as const;
export type Quality = keyof typeof QUALITIES;

/** noVNC, whose sizes are whole pixels, and which says when the device keeps its own. */
class Screen extends RFB {
  /** noVNC asks until what it wants is there, and no display has half a pixel. A screen on no page wants nothing. */
  override _screenSize(): { w: number; h: number } {
    const { w, h } = super._screenSize();
    return w >= 1 && h >= 1 ? { w: Math.floor(w), h: Math.floor(h) } : { w: this._fbWidth, h: this._fbHeight };
  }

  override _handleExtendedDesktopSize(): boolean {
    const whole = super._handleExtendedDesktopSize();
    const { x: whose, y: fault } = this._FBU;
    if (whole && whose === 1) this.dispatchEvent(new CustomEvent('resized', { detail: { refused: fault !== 0 } }));
    return whole;
  }
}

export class ScreenView {
  readonly remote: Remote;
  readonly host: HTMLElement;
  displays = $state.raw<Display[]>([]);
  display = $state<string>();
  connected = $state(false);
  /** Text that the device put into its clipboard. */
  theirs = $state('');
  fault = $state('');
  scaling = $state<Scaling>('fit');
  quality = $state<Quality>('good');
  watching = $state(false);
  /** The display was asked to follow the window, and keeps its size. */
  fixed = $state(false);
  #rfb: Screen | undefined;
  readonly #channel: ScreenChannel;

  constructor(remote: Remote) {
    this.remote = remote;
    this.host = document.createElement('div');
    this.host.className = 'screen__host';
    this.watching = remote.access === 'view';
    const kept = remembered('screen-scaling');
    if (kept === 'full' || kept === 'fit') this.scaling = kept;
    this.#channel = new ScreenChannel((bytes) => remote.data(0, bytes));
    this.#start();
    remote.watch({ data: (bytes) => this.#channel.receive(bytes), control: (message) => this.#hear(message) });
  }

  #hear(message: Control): void {
    if (message.t === 'displays' && Array.isArray(message.displays)) {
      this.displays = message.displays.map(displayFrom);
      this.display = String(message.shown);
    }
  }

  /** Shows another monitor; the device says so by another size. */
  choose(name: string): void {
    void this.remote.control({ t: 'display', name }).catch(() => {});
  }

  #start(): void {
    const rfb = new Screen(this.host, this.#channel, { shared: true });
    this.#rfb = rfb;
    rfb.background = 'transparent';
    rfb.focusOnClick = true;
    this.apply();
    rfb.addEventListener('connect', () => {
      this.connected = true;
      this.apply();
      rfb.focus();
    });
    rfb.addEventListener('disconnect', () => (this.connected = false));
    rfb.addEventListener('clipboard', (event) => (this.theirs = (event as CustomEvent<{ text: string }>).detail.text));
    rfb.addEventListener('resized', (event) => (this.fixed = (event as CustomEvent<{ refused: boolean }>).detail.refused));
    rfb.addEventListener('securityfailure', () => (this.fault = 'The screen’s server refused the connection.'));
    this.#channel.listenedTo();
  }

  /** What was chosen, put into effect. */
  apply(): void {
    const rfb = this.#rfb;
    if (!rfb) return;
    // First of all: who watches asks for no size, or the device sends them away.
    rfb.viewOnly = this.watching || this.remote.access === 'view';
    rfb.scaleViewport = this.scaling !== 'full';
    rfb.clipViewport = this.scaling === 'full';
    rfb.resizeSession = this.scaling === 'resize';
    [rfb.qualityLevel, rfb.compressionLevel] = QUALITIES[this.quality];
  }

  /** What changes the device is chosen each time; how it is shown is remembered. */
  scale(scaling: Scaling): void {
    this.scaling = scaling;
    this.fixed = false;
    if (scaling !== 'resize') remember('screen-scaling', scaling);
    this.apply();
  }

  /** Presses keys together, in order, and lets go in the opposite one. */
  press(keys: [number, string][]): void {
    for (const [sym, code] of keys) this.#rfb?.sendKey(sym, code, true);
    for (const [sym, code] of keys.toReversed()) this.#rfb?.sendKey(sym, code, false);
    this.#rfb?.focus();
  }

  paste(text: string): void {
    this.#rfb?.clipboardPasteFrom(text);
  }

  picture(): Promise<Blob | null> {
    return new Promise((done) => (this.#rfb ? this.#rfb.toBlob(done, 'image/png') : done(null)));
  }

  focus(): void {
    this.#rfb?.focus();
  }
}

function displayFrom(one: unknown): Display {
  const { name, width, height, primary } = one as { name?: unknown; width?: unknown; height?: unknown; primary?: unknown };
  if (name === 'all') return { name: 'all', title: 'All monitors' };
  return { name: String(name), title: `${String(name)}, ${Number(width)} × ${Number(height)}${primary === 'yes' ? ', main' : ''}` };
}

const views = new WeakMap<Remote, ScreenView>();

export function viewOf(remote: Remote): ScreenView {
  const view = views.get(remote) ?? new ScreenView(remote);
  views.set(remote, view);
  return view;
}
