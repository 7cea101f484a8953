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
    super(0, { title: words?.title ?? 'The device refused this', detail: (words?.always ? words.detail : detail || words?.detail) ?? '', code });
    this.name = 'RefusedByDevice';
  }
}

/** `always`: our words say more than the device's. */
const REFUSALS: Record<string, { title: string; detail: string; always?: true }> = {
  not_found: { title: 'It is not there', detail: 'It may have been moved, removed or ended meanwhile. Load the list again.' },
  denied: { title: 'The account of this session may not do that', detail: 'Open a session that runs as another account.' },
  permission_denied: { title: 'The account of this session may not do that', detail: 'Open a session that runs as another account.' },
  exists: { title: 'Something by this name is already there', detail: 'Choose another name, or replace it.' },
  process_gone: { title: 'This process has ended already', detail: 'Its number may belong to another one now, so nothing was done.' },
  first_process: { title: 'The first process of the machine is left alone', detail: 'Without it everything ends. Restart the machine instead.' },
  own_agent: { title: 'This is the agent itself', detail: 'Ending it would end this session and every other way to the device.' },
  no_service_manager: { title: 'This machine has no systemd', detail: 'Its services cannot be listed or changed from here. Use a terminal.' },
  not_a_service: { title: 'This unit is no service', detail: 'Only services are started and stopped from here.' },
  no_journal: { title: 'This machine has no journal', detail: 'Look for its log files under Files, in /var/log.' },
  journal_ended: { title: 'The journal stopped', detail: 'Follow it again.' },
  still_under_way: { title: 'It is still under way', detail: 'The service takes its time. Load the list again in a moment.' },
  timed_out: { title: 'It took too long', detail: 'Load the list again to see how it stands.' },
  disk_full: { title: 'The disk is full', detail: 'Free some space on this volume, then go on where it stopped.' },
  read_only: { title: 'This volume is read-only', detail: 'It was mounted so, or its disk has trouble. Nothing was changed.' },
  too_large: { title: 'It is too large for that', detail: 'Download it instead.' },
  is_folder: { title: 'This is a folder', detail: 'Open it, or choose a file.' },
  not_a_folder: { title: 'This is no folder', detail: 'A part of the path is a file.' },
  not_a_file: { title: 'This is no ordinary file', detail: 'Devices, pipes and sockets are left alone.' },
  not_empty: { title: 'The folder is not empty', detail: 'Remove what is in it first.' },
  is_link: { title: 'This is a link', detail: 'Nothing is written through links. Open what it leads to, or remove it.' },
  foreign_link: { title: 'The path leads over a link of somebody else', detail: 'It could lead anywhere at any moment, so nothing was done. Use the path behind it.' },
  system_link: { title: 'The path leads into the innards of a process', detail: 'Such paths are not followed.' },
  mount_point: { title: 'Another volume is mounted here', detail: 'It is left alone. Unmount it first if you mean it.' },
  several_names: { title: 'This file has several names', detail: 'Others would change with it, so its permissions are left alone.' },
  other_file_system: { title: 'That is on another volume', detail: 'Download it and upload it there, or move it in a terminal.' },
  busy: { title: 'It is in use', detail: 'Somebody else writes it just now. Wait a moment, then try again.' },
  too_long: { title: 'The name is too long', detail: 'A name has at most 255 bytes, a path 4095.' },
  changed_meanwhile: { title: 'It changed while it was read', detail: 'What came does not fit together. Download it again.' },
  checksum_mismatch: { title: 'The checksum does not fit', detail: 'What arrived is not what was sent. The old file is untouched; upload it again.' },
  account_unknown: { title: 'There is no such account on this device', detail: 'Look at its name again.' },
  account_not_permitted: { title: 'This account may not be used for sessions', detail: 'Choose another one.' },
  too_many_requests: { title: 'Too much at once', detail: 'Wait until something is finished.' },
  record_differs: { title: 'It is recorded otherwise than the grant says', detail: 'So the device let nobody join. Open a session of your own.' },
  session_not_open: { title: 'The session is over', detail: 'It ended before you came. Open another one.' },
  kind_missing: { title: 'The agent of this device cannot do that yet', detail: 'Update it.' },
  view_only: { title: 'You are watching', detail: 'Only a session with control may do this: the device refuses keys and pointers.', always: true },
  wayland_no_capture: { title: 'This desktop cannot be shown', detail: 'It runs on Wayland, which lets nobody look without a yes from the person there. Desktops on X11 can be shown.', always: true },
  no_display: { title: 'There is no display', detail: 'Nobody is signed in at a screen of this machine, and there is no greeter. Use a terminal instead.', always: true },
  no_display_of_account: { title: 'This account has no display', detail: 'Choose the account that is signed in at the screen.', always: true },
  virtual_display_failed: { title: 'There is no display', detail: 'The machine has none, and a virtual one could not be started there.', always: true },
  screen_lost: { title: 'The display went away', detail: 'The person signed out, or the desktop ended. Open the screen again.', always: true },
  unsupported: { title: 'This device cannot do that', detail: 'It lacks what this needs.' },
};
