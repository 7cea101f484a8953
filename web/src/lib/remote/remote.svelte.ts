/** A remote session as this browser holds it: opened through the authorization panel, alive while the page is, whatever is shown. */

import { endRemoteSession, dialStream, newStreamTicket, openRemoteSession } from '$lib/api/remote';
import { asProblem, type Problem } from '$lib/api/problem';
import type { ActionResult } from '$lib/api/types';
import type { Bytes } from '$lib/crypto/bytes';
import { gate } from '$lib/gate.svelte';
import { session } from '$lib/session.svelte';
import { type Access, checkGrant, type CheckedGrant, type Kind } from '$lib/stream/answer';
import { Attachment, type Phase, type Reason, type Socket } from '$lib/stream/attachment';
import { RefusedByDevice, StreamError } from '$lib/stream/errors';
import { type ClientKey, makeClientKey } from '$lib/stream/keys';
import type { Control } from '$lib/stream/plain';
import { type Hearing, Requests } from '$lib/stream/requests';

export interface DeviceName {
  id: string;
  name: string;
}

export interface Wanted {
  device: DeviceName;
  kind: Kind;
  access?: Access;
  runAs?: string | undefined;
  columns?: number;
  rows?: number;
  /** The session to join; a new one where nothing is said. */
  joins?: string | undefined;
  /** Where the rules leave it to whoever opens. */
  record?: Wish | undefined;
}

export type Wish = 'yes' | 'no';

type Opened = Extract<ActionResult, { kind: 'remote_session' }>;

/** What comes without a question: control messages, and the bytes of channel 0. */
export interface Watcher {
  control(message: Control): void;
  data(bytes: Bytes): void | Promise<void>;
}

let serial = 0;

export class Remote {
  readonly serial = ++serial;
  readonly wanted: Wanted;
  readonly grant: CheckedGrant;
  readonly started = Date.now();
  phase = $state<Phase>('connecting');
  reason = $state<Reason>();
  problem = $state.raw<Problem>();
  fingerprint = $state('');
  viewers = $state.raw<string[]>([]);
  lostAt = $state(0);
  endedAt = $state(0);
  /** When something was last typed or asked: the device ends a session that idles. */
  usedAt = $state(Date.now());
  readonly requests: Requests;
  readonly #attachment: Attachment;
  #watcher: Watcher | undefined;
  #watched: () => void = () => {};
  readonly #ready: Promise<void>;

  constructor(wanted: Wanted, grant: CheckedGrant, key: ClientKey) {
    this.wanted = wanted;
    this.grant = grant;
    this.requests = new Requests(this);
    // A terminal and a screen write by themselves: nothing is lost before somebody looks, for the stream waits.
    this.#ready = wanted.kind === 'terminal' || wanted.kind === 'viewer' ? new Promise((go) => (this.#watched = go)) : Promise.resolve();
    const renew = () => newStreamTicket(grant.session, grant.id);
    this.#attachment = new Attachment(grant, key, { dial: (ticket) => dialStream(ticket) as Socket, renew }, {
      control: (message) => this.#hear(message),
      data: (channel, bytes) => (channel === 0 ? this.#ready.then(() => this.#watcher?.data(bytes)) : this.requests.hearData(channel, bytes)),
      changed: () => this.#changed(),
    });
  }

  get access(): Access {
    return this.wanted.access ?? 'control';
  }

  start(ticket: string): void {
    this.#attachment.start(ticket);
  }

  control(message: Control): Promise<void> {
    this.usedAt = Date.now();
    return this.#attachment.control(message);
  }

  data(channel: number, bytes: Uint8Array): Promise<void> {
    this.usedAt = Date.now();
    return this.#attachment.data(channel, bytes);
  }

  ask<T>(t: string, fields?: Record<string, unknown>, hearing?: Hearing): Promise<T> {
    return this.requests.ask<T>(t, fields, hearing);
  }

  /** Whoever shows what comes by itself: one at a time. */
  watch(watcher: Watcher): void {
    this.#watcher = watcher;
    this.#watched();
  }

  /** Ends the session for everybody. */
  async end(): Promise<void> {
    try {
      if (this.phase !== 'ended') await endRemoteSession(this.grant.session);
      this.#attachment.leave('ended');
    } catch (error) {
      this.problem = asProblem(error);
    }
  }

  /** Leaves; the session goes on without this browser, for a while. */
  leave(): void {
    this.#attachment.leave();
  }

  hurry = (): void => this.#attachment.hurry();
  cut = (): void => this.#attachment.cut();

  #hear(message: Control): void | Promise<void> {
    if (message.t === 'viewers' && Array.isArray(message.names)) this.viewers = message.names.map(String);
    else if (this.requests.hear(message)) return;
    else if (message.t === 'error') this.problem = new RefusedByDevice(String(message.code), typeof message.detail === 'string' ? message.detail : '');
    else return this.#ready.then(() => this.#watcher?.control(message));
  }

  #changed(): void {
    const { phase, reason, problem, fingerprint, lostAt } = this.#attachment;
    Object.assign(this, { phase, reason, fingerprint, lostAt });
    this.problem = problem ?? this.problem;
    if (phase !== 'ended') return;
    this.endedAt = Date.now();
    this.requests.end(problem ?? new StreamError('ended'));
  }
}

class Remotes {
  list = $state.raw<Remote[]>([]);

  /** Asks for a session and sees it through. Undefined where the person closed the panel. */
  async open(wanted: Wanted): Promise<Remote | undefined> {
    const key = await makeClientKey();
    const result = await gate.through(openRemoteSession(bodyOf(wanted, key)));
    if (!result) return undefined;
    if (result.kind !== 'remote_session') throw new StreamError('grant_foreign');
    void session.refresh();
    return this.#attach(wanted, key, result);
  }

  async #attach(wanted: Wanted, key: ClientKey, opened: Opened): Promise<Remote> {
    const { kind, access = 'control', joins } = wanted;
    const grant = await checkGrant(opened.envelope, { kind, access, key, session: joins ?? opened.session }, opened.device);
    const remote = new Remote(wanted, grant, key);
    remote.start(opened.ticket);
    this.list = [...this.list, remote];
    return remote;
  }

  /** The session of a kind that is open to a device, where one session serves the whole page. */
  of(device: string, kind: Kind): Remote | undefined {
    return this.list.findLast((one) => one.wanted.device.id === device && one.wanted.kind === kind);
  }

  forget(remote: Remote): void {
    this.list = this.list.filter((one) => one !== remote);
  }
}

const bodyOf = ({ device, kind, access = 'control', runAs, columns, rows, joins, record }: Wanted, key: ClientKey) => ({
  device: device.id,
  kind,
  access,
  client_key: key.publicHex,
  ...(runAs && { run_as: runAs }),
  ...(kind === 'terminal' && { columns: columns ?? 80, rows: rows ?? 24 }),
  ...(joins && { joins }),
  ...(record && { record }),
});

export const remotes = new Remotes();

addEventListener('offline', () => remotes.list.forEach((one) => one.cut()));
addEventListener('online', () => remotes.list.forEach((one) => one.hurry()));
