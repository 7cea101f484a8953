/** The terminals of this page. They stay when another page is shown: programs go on, and so does what they write. */

import { Attempt } from '$lib/attempt.svelte';
import { utf8 } from '$lib/crypto/bytes';
import { cleaned, wantsAsking } from '$lib/remote/paste';
import { type Remote, remotes, type Wanted } from '$lib/remote/remote.svelte';
import type { Control } from '$lib/stream/plain';
import { paint } from './colours';
import { makeScreen, openScreen, type Screen } from './screen';

export interface Exit {
  code: number | null;
  signal: number | null;
}

/** Words about text that was left out stay for so long. */
const NOTICE_MS = 12_000;

export class TerminalTab {
  readonly screen: Screen;
  remote = $state.raw<Remote>()!;
  columns = $state(80);
  rows = $state(24);
  exit = $state.raw<Exit>();
  skipped = $state(0);
  /** Text that waits for a yes. */
  pasting = $state<string>();
  selected = $state(false);
  #skippedTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(remote: Remote) {
    this.screen = makeScreen({ readOnly: remote.access === 'view', onlink: openLink });
    const { term, host } = this.screen;
    term.onData((text) => this.#type(utf8(text)));
    term.onBinary((text) => this.#type(Uint8Array.from(text, (char) => char.charCodeAt(0))));
    term.onResize(({ cols, rows }) => this.#resized(cols, rows));
    term.onSelectionChange(() => (this.selected = term.hasSelection()));
    host.addEventListener('paste', (event) => this.#pasted(event), { capture: true });
    this.bind(remote);
  }

  get id(): number {
    return this.remote.serial;
  }

  /** Takes on a session: the first one, or the one that was opened again in the same tab. */
  bind(remote: Remote): void {
    this.remote = remote;
    this.exit = undefined;
    remote.watch({
      data: (bytes) => new Promise((read) => this.screen.term.write(bytes, read)),
      control: (message) => this.#hear(message),
    });
    this.screen.term.options.disableStdin = remote.access === 'view';
  }

  /** Puts the terminal into a place of the page and fits it. Returns how to take it out. */
  async show(place: HTMLElement): Promise<void> {
    place.replaceChildren(this.screen.host);
    await openScreen(this.screen);
    this.fit();
    this.screen.term.focus();
  }

  fit(): void {
    // Who watches sees the size of whoever works there.
    if (this.remote.access === 'control' && this.screen.host.isConnected) this.screen.fit.fit();
  }

  repaint(): void {
    paint(this.screen.term);
  }

  /** Pastes what was agreed to, or nothing. */
  paste(text: string | undefined): void {
    this.pasting = undefined;
    if (text !== undefined) this.screen.term.paste(cleaned(text));
    this.screen.term.focus();
  }

  close(): void {
    this.screen.term.dispose();
    this.screen.host.remove();
  }

  #type(bytes: Uint8Array): void {
    if (this.remote.access === 'control' && this.remote.phase !== 'ended') void this.remote.data(0, bytes).catch(() => {});
  }

  #resized(columns: number, rows: number): void {
    this.columns = columns;
    this.rows = rows;
    const { phase, access } = this.remote;
    if (access === 'control' && phase !== 'ended' && phase !== 'connecting') void this.remote.control({ t: 'resize', columns, rows }).catch(() => {});
  }

  /** After the stream stands: what changed while it was made. */
  announce(): void {
    this.#resized(this.screen.term.cols, this.screen.term.rows);
  }

  #hear(message: Control): void {
    if (message.t === 'size') this.#sized(Number(message.columns), Number(message.rows));
    else if (message.t === 'exit') this.exit = { code: numberOr(message.code), signal: numberOr(message.signal) };
    else if (message.t === 'skipped') this.#skip(Number(message.bytes));
  }

  #sized(columns: number, rows: number): void {
    if (columns > 0 && rows > 0 && columns <= 1000 && rows <= 1000 && this.remote.access === 'view') this.screen.term.resize(columns, rows);
  }

  #skip(bytes: number): void {
    this.skipped += bytes;
    clearTimeout(this.#skippedTimer);
    this.#skippedTimer = setTimeout(() => (this.skipped = 0), NOTICE_MS);
  }

  #pasted(event: ClipboardEvent): void {
    const text = event.clipboardData?.getData('text/plain') ?? '';
    event.preventDefault();
    event.stopPropagation();
    if (!text || this.remote.access === 'view') return;
    if (wantsAsking(text)) this.pasting = text;
    else this.paste(text);
  }
}

const numberOr = (value: unknown): number | null => (typeof value === 'number' ? value : null);

/** Only what a person sees written out, only the web, and nothing of this page goes along. */
function openLink(url: string): void {
  if (/^https?:\/\//i.test(url)) window.open(url, '_blank', 'noopener,noreferrer');
}

class Terminals {
  tabs = $state.raw<TerminalTab[]>([]);
  current = $state(0);
  readonly opening = new Attempt();

  get shown(): TerminalTab | undefined {
    return this.tabs.find((tab) => tab.id === this.current);
  }

  of(device: string): TerminalTab[] {
    return this.tabs.filter((tab) => tab.remote.wanted.device.id === device);
  }

  open = (wanted: Omit<Wanted, 'kind'>, into?: TerminalTab): Promise<boolean> =>
    this.opening.run(async () => {
      const remote = await remotes.open({ ...wanted, kind: 'terminal' });
      if (remote) this.place(remote, into);
    });

  /** Gives a session its tab: a new one, or the one of the session that it follows. */
  place(remote: Remote, into?: TerminalTab): void {
    if (into && this.tabs.includes(into)) {
      remotes.forget(into.remote);
      into.screen.term.reset();
      into.bind(remote);
    } else this.tabs = [...this.tabs, new TerminalTab(remote)];
    this.current = remote.serial;
  }

  close(tab: TerminalTab): void {
    const at = this.tabs.indexOf(tab);
    this.tabs = this.tabs.filter((one) => one !== tab);
    if (this.current === tab.id) this.current = (this.tabs[at] ?? this.tabs.at(-1))?.id ?? 0;
    remotes.forget(tab.remote);
    tab.close();
  }
}

export const terminals = new Terminals();
