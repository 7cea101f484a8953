import { expect, test, vi } from 'vitest';
import { type Bytes, concat, fromHex, utf8 } from '$lib/crypto/bytes';
import { checkAnswer, checkGrant, type Kind } from './answer';
import { Attachment, type Socket } from './attachment';
import { type DeviceEnd, deviceEnd, grantFor, signer } from './device.testing';
import { isResume, readBe64 } from './frames';
import { makeClientKey } from './keys';
import { ackBytes, controlBytes, dataBytes, readPlain } from './plain';
import { unackedBytes } from './stream';

/** A relay between the two ends that a test holds in its hands. */
class Relay {
  sent: Bytes[] = [];
  sockets: Socket[] = [];
  tickets: string[] = [];
  renewed = 0;

  dial = (ticket: string): Socket => {
    this.tickets.push(ticket);
    const socket: Socket = { binaryType: '', onmessage: null, onclose: null, send: (bytes) => void this.sent.push(bytes), close: () => {} };
    this.sockets.push(socket);
    return socket;
  };
  renew = async () => `ticket ${++this.renewed}`;

  to(bytes: Bytes): void {
    this.sockets.at(-1)?.onmessage?.({ data: bytes.slice().buffer });
  }
  close(code: number): void {
    this.sockets.at(-1)?.onclose?.({ code });
  }
}

/** Waits for what must come, however slow the machine is. */
const until = (seen: () => void | Promise<void>) => vi.waitFor(seen, { timeout: 10_000, interval: 2 });

/** Gives what must not come some time to come. */
const quiet = (ms = 60) => new Promise((done) => setTimeout(done, ms));

/** Waits for the next connection, which this browser dials by itself after a break. */
const redialled = (relay: Relay, sockets = 2) => until(() => expect(relay.sockets.length).toBe(sockets));

async function world(changes: { kind?: Kind; answer?: Record<string, unknown>; consume?: () => Promise<void> } = {}) {
  const kind = changes.kind ?? 'terminal';
  const device = await signer();
  const key = await makeClientKey();
  const text = await grantFor(device, key.publicHex, { kind });
  const grant = await checkGrant(text, { kind, access: 'control', key }, device.named);
  const end = await deviceEnd(device, text, key.publicHex, changes.answer);
  const relay = new Relay();
  const got: { control: unknown[]; data: string[] } = { control: [], data: [] };
  const attachment = new Attachment(grant, key, relay, {
    control: (message) => void got.control.push(message),
    data: async (_, bytes) => {
      await changes.consume?.();
      got.data.push(new TextDecoder().decode(bytes));
    },
    changed: () => {},
  });
  attachment.start('first');
  return { device, key, grant, end, relay, got, attachment, text };
}

/** The device's answer, and this browser's resume message to it. */
async function answered(relay: Relay, end: DeviceEnd): Promise<Bytes> {
  const before = relay.sent.length;
  relay.to(end.answer);
  await until(() => expect(relay.sent.slice(before).some(isResume)).toBe(true));
  return relay.sent[before] as Bytes;
}

async function live(changes: Parameters<typeof world>[0] = {}) {
  const all = await world(changes);
  await answered(all.relay, all.end);
  all.relay.to(await all.end.resume(0n));
  await until(() => expect(all.attachment.phase).toBe('live'));
  return all;
}

/** The plain parts of what this browser sent, without the resume messages. */
async function heard(end: DeviceEnd, sent: Bytes[]) {
  return Promise.all(sent.filter((one) => !isResume(one)).map(async (one) => readPlain(await end.open(one))));
}

test('what is typed reaches the device, and what it writes reaches the page', async () => {
  const { end, relay, got, attachment } = await live();
  await attachment.data(0, utf8('uptime\r'));
  relay.to(await end.frame(dataBytes(0, utf8('up 3 days'))));
  relay.to(await end.frame(controlBytes({ t: 'viewers', names: ['Robin'] })));
  await until(() => expect(got).toEqual({ data: ['up 3 days'], control: [{ t: 'viewers', names: ['Robin'] }] }));
  const parts: unknown[] = [];
  await until(async () => {
    parts.push(...(await heard(end, relay.sent.splice(0))));
    expect(parts.at(-1)).toEqual({ type: 'ack', next: 2n });
  });
  expect(parts[0]).toEqual({ type: 'data', channel: 0, bytes: utf8('uptime\r') });
});

test.each<[string, (frame: Bytes, end: DeviceEnd) => Promise<Bytes[]> | Bytes[]]>([
  ['a changed byte', (frame) => [concat(frame.slice(0, 20), Uint8Array.of((frame[20] ?? 0) ^ 1), frame.slice(21))]],
  ['a frame twice', (frame) => [frame, frame]],
  ['a frame that is missing', async (_, end) => [await end.frame(dataBytes(0, utf8('second')))]],
  ['a frame out of order', async (frame, end) => [await end.frame(dataBytes(0, utf8('second'))), frame]],
  ['a frame of another size', (frame) => [frame.slice(0, -1)]],
  ['injected bytes', () => [utf8('rm -rf /, and twenty more bytes')]],
])('a relay that sends %s ends the stream', async (_, tamper) => {
  const { end, relay, attachment } = await live();
  const frame = await end.frame(dataBytes(0, utf8('first')));
  for (const message of await tamper(frame, end)) relay.to(message);
  await until(() => expect(attachment.phase).toBe('ended'));
  expect(attachment.reason).toBe('broken');
  expect(attachment.problem?.code).toBe('stream.stream_broken');
  await expect(attachment.data(0, utf8('x'))).rejects.toThrow();
});

test('an old resume message that is replayed ends the stream', async () => {
  const { end, relay, attachment } = await live();
  end.epoch = 0n;
  relay.to(await end.resume(0n));
  await until(() => expect(attachment.reason).toBe('broken'));
});

test('after a break both sides send again what the other lacks, each once', async () => {
  const { end, relay, got, attachment } = await live();
  await attachment.data(0, utf8('one'));
  await attachment.data(0, utf8('two'));
  relay.to(await end.frame(dataBytes(0, utf8('A'))));
  await until(() => expect(got.data).toEqual(['A']));
  relay.close(1006);
  await until(() => expect(attachment.phase).toBe('reconnecting'));
  await attachment.data(0, utf8('three'));
  const lost = await end.frame(dataBytes(0, utf8('B')));
  await redialled(relay);
  expect(relay.tickets).toEqual(['first', 'ticket 1']);

  relay.sent = [];
  expect(await end.resumed(await answered(relay, end))).toBe(1n);
  // The device has read one frame.
  relay.to(await end.resume(1n));
  relay.to(lost);
  await until(() => expect(attachment.phase).toBe('live'));
  await until(() => expect(got.data).toEqual(['A', 'B']));
  await quiet();
  const frames = relay.sent.filter((one) => !isResume(one));
  expect(frames.map((one) => readBe64(one))).toEqual([...frames.keys()].map((at) => BigInt(at) + 1n));
  const typed = (await heard(end, frames)).flatMap((part) => (part.type === 'data' ? [new TextDecoder().decode(part.bytes)] : []));
  expect(typed).toEqual(['two', 'three']);
});

test('an acknowledgement that is sent again after a break says nothing new', async () => {
  const { end, relay, attachment } = await live();
  await attachment.data(0, utf8('one'));
  await attachment.data(0, utf8('two'));
  const late = await end.frame(ackBytes(1n));
  relay.close(1006);
  await redialled(relay);
  await answered(relay, end);
  relay.to(await end.resume(2n));
  await until(() => expect(attachment.phase).toBe('live'));
  relay.to(late);
  await quiet();
  expect(attachment.phase).toBe('live');
});

test.each<[string, (end: DeviceEnd) => Promise<Bytes>]>([
  ['a frame', (end) => end.frame(dataBytes(0, utf8('early')))],
  ['a resume that wants what was acknowledged long ago', (end) => end.resume(0n)],
])('%s that comes first on a new connection ends the stream', async (_, first) => {
  const { end, relay, attachment } = await live();
  await attachment.data(0, utf8('one'));
  relay.to(await end.frame(ackBytes(1n)));
  await quiet();
  relay.close(1006);
  await redialled(relay);
  await answered(relay, end);
  relay.to(await first(end));
  await until(() => expect(attachment.reason).toBe('broken'));
});

test('after a break another answer than the first one is refused', async () => {
  const { device, text, key, relay, attachment } = await live();
  relay.close(4003);
  await redialled(relay);
  relay.to((await deviceEnd(device, text, key.publicHex)).answer);
  await until(() => expect(attachment.problem?.code).toBe('stream.answer_forged'));
});

test.each([
  [4001, 'revoked'],
  [4002, 'ended'],
  [4004, 'limit'],
] as const)('a connection closed with %i is over and not dialled again', async (code, reason) => {
  const { relay, attachment } = await live();
  relay.close(code);
  await quiet(400);
  expect([attachment.phase, attachment.reason, relay.renewed]).toEqual(['ended', reason, 0]);
});

test('the word with which the device ends it is kept', async () => {
  const { end, relay, attachment } = await live();
  relay.to(await end.frame(controlBytes({ t: 'bye', reason: 'consent_refused' })));
  relay.close(4002);
  await until(() => expect(attachment.reason).toBe('consent_refused'));
});

test.each(['terminal', 'files'] as const)('what is not acknowledged is bounded in %s, and flows on when it is', async (kind) => {
  const { end, relay, attachment } = await live({ kind });
  const most = unackedBytes(kind);
  const bytes = () => relay.sent.reduce((sum, one) => sum + one.length, 0);
  let done = false;
  void attachment.data(0, new Uint8Array(2 * most)).then(() => (done = true));
  await until(() => expect(bytes()).toBeGreaterThan(most - 64 * 1024));
  await quiet(150);
  expect(done).toBe(false);
  expect(bytes()).toBeLessThan(most + 4096);
  for (let rounds = 0; rounds < 4; rounds++) {
    relay.to(await end.frame(ackBytes(BigInt(relay.sent.filter((one) => !isResume(one)).length))));
    await quiet();
  }
  await until(() => expect(done).toBe(true));
});

test('an acknowledgement of what was never sent ends the stream', async () => {
  const { end, relay, attachment } = await live();
  relay.to(await end.frame(ackBytes(7n)));
  await until(() => expect(attachment.reason).toBe('broken'));
});

test('what the page has not consumed is not acknowledged', async () => {
  let free = () => {};
  const { end, relay } = await live({ consume: () => new Promise((go) => (free = go)) });
  relay.to(await end.frame(dataBytes(0, new Uint8Array(30_000))));
  await quiet(120);
  expect((await heard(end, relay.sent)).length).toBe(0);
  free();
  await until(() => expect(relay.sent.filter((one) => !isResume(one)).length).toBe(1));
  expect(await heard(end, relay.sent)).toEqual([{ type: 'ack', next: 1n }]);
});

test.each<[string, Record<string, unknown>]>([
  ['another key of this browser', { client_key: '00'.repeat(32) }],
  ['another session', { session: 'rms_01jd0000000000000000000009' }],
  ['another grant', { grant: 'grt_01jd0000000000000000000009' }],
  ['another device', { device: '11'.repeat(32) }],
  ['a field more', { extra: 1 }],
  ['a key of zeros', { device_key: '00'.repeat(32) }],
])('an answer with %s is refused, and nothing is sent', async (_, answer) => {
  const { relay, end, attachment } = await world({ answer });
  relay.to(end.answer);
  await until(() => expect(attachment.problem?.code).toBe('stream.answer_forged'));
  expect(relay.sent).toEqual([]);
});

test('an answer that another device signed is refused', async () => {
  const { grant, key, text } = await world();
  const other = await signer();
  const forged = await deviceEnd({ named: grant.device, key: other.key }, text, key.publicHex);
  await expect(checkAnswer(forged.answer, grant, key)).rejects.toThrow('does not come from this device');
});

test.each<[string, Record<string, unknown>]>([
  ['another key', { client_key: '22'.repeat(32) }],
  ['another kind', { kind: 'files' }],
  ['another access', { access: 'view' }],
])('a grant for %s is refused', async (_, changes) => {
  const device = await signer();
  const key = await makeClientKey();
  const text = await grantFor(device, key.publicHex, changes);
  await expect(checkGrant(text, { kind: 'terminal', access: 'control', key }, device.named)).rejects.toThrow('not the one that was asked for');
});

test('a grant whose target is another device than the named one is refused', async () => {
  const [device, other, key] = [await signer(), await signer(), await makeClientKey()];
  const text = await grantFor(device, key.publicHex);
  const asked = { kind: 'terminal', access: 'control', key } as const;
  await expect(checkGrant(text, asked, other.named)).rejects.toThrow('not the one that was asked for');
  const lying = { thumbprint: device.named.thumbprint, device_key: other.named.device_key };
  await expect(checkGrant(text, asked, lying)).rejects.toThrow('not the one that was asked for');
  expect(fromHex(key.publicHex)).toEqual(key.public);
});
