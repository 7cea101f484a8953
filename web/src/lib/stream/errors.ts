/** Whatever can go wrong between this browser and a device, each with what to do next. */

import { Problem } from '$lib/api/problem';

export type StreamFault =
  | 'unsupported'
  | 'grant_foreign'
  | 'answer_forged'
  | 'stream_broken'
  | 'too_long'
  | 'unreachable'
  | 'ended';

const SAYS: Record<StreamFault, { title: string; detail: string }> = {
  unsupported: {
    title: 'This browser cannot open remote sessions',
    detail: 'They are encrypted with X25519 and Ed25519, which it does not offer to pages. Chromium 137, Firefox 130, Safari 18.4 and newer do; or use the command line.',
  },
  grant_foreign: {
    title: 'The grant is not the one that was asked for',
    detail: 'It names another key, device or kind of session. Nothing was opened. Tell whoever runs this server.',
  },
  answer_forged: {
    title: 'The answer does not come from this device',
    detail: 'Its signature does not fit the device that the grant names. The connection was closed before anything was sent.',
  },
  stream_broken: {
    title: 'The encrypted stream was tampered with or garbled',
    detail: 'A message came changed, twice or out of order, so this browser closed the session. Open it again; if it happens again, tell whoever runs this server.',
  },
  too_long: { title: 'This message is too long for a remote session', detail: 'Nothing was sent. Send it in smaller parts.' },
  unreachable: { title: 'The device did not answer', detail: 'It may have gone offline a moment ago. Check its state, then try again.' },
  ended: { title: 'The remote session has ended', detail: 'Open a new one to go on.' },
};

export class StreamError extends Problem {
  readonly fault: StreamFault;

  constructor(fault: StreamFault, detail?: string) {
    super(0, { title: SAYS[fault].title, detail: detail ?? SAYS[fault].detail, code: `stream.${fault}` });
    this.name = 'StreamError';
    this.fault = fault;
  }
}

/** What the device answered to a request inside of the stream. */
export class RefusedByDevice extends Problem {
  constructor(code: string, detail: string) {
    const words = REFUSALS[code];
    super(0, { title: words?.title ?? 'The device refused this', detail: detail || words?.detail || '', code });
    this.name = 'RefusedByDevice';
  }
}

const REFUSALS: Record<string, { title: string; detail: string }> = {
  not_found: { title: 'It is not there', detail: 'It may have been moved, removed or ended meanwhile. Load the list again.' },
  denied: { title: 'The account of this session may not do that', detail: 'Open a session that runs as another account.' },
  permission_denied: { title: 'The account of this session may not do that', detail: 'Open a session that runs as another account.' },
  exists: { title: 'Something by this name is already there', detail: 'Choose another name, or replace it.' },
  gone: { title: 'This process has ended already', detail: 'Its number may belong to another one now, so nothing was done.' },
  no_space: { title: 'The disk is full', detail: 'Free some space on this volume, then go on where it stopped.' },
  view_only: { title: 'You are watching', detail: 'Only a session with control may do this.' },
  unsupported: { title: 'This device cannot do that', detail: 'It lacks what this needs.' },
};
