import { expect, test } from 'vitest';
import { type Bytes, utf8 } from '$lib/crypto/bytes';
import { ScreenChannel } from './channel';

const text = (data: ArrayBuffer | Uint8Array) => new TextDecoder().decode(data);

test('what is sent stays in order, and is not the buffer that is used again', async () => {
  const sent: string[] = [];
  let free = () => {};
  const channel = new ScreenChannel(async (bytes: Bytes) => {
    if (sent.length === 0) await new Promise<void>((go) => (free = go));
    sent.push(text(bytes));
  });
  const buffer = utf8('one');
  channel.send(buffer);
  await Promise.resolve();
  buffer.set(utf8('XXX'));
  channel.send(utf8('two'));
  await Promise.resolve();
  free();
  await new Promise((done) => setTimeout(done));
  expect(sent).toEqual(['one', 'two']);
});

test('bytes that come before anybody listens are kept', () => {
  const channel = new ScreenChannel(async () => {});
  channel.receive(utf8('RFB 003.008\n'));
  const got: string[] = [];
  channel.onmessage = ({ data }) => void got.push(text(data));
  channel.listenedTo();
  channel.receive(utf8('more'));
  expect(got).toEqual(['RFB 003.008\n', 'more']);
});

test('a stream that is over closes the channel once', async () => {
  let closed = 0;
  const channel = new ScreenChannel(() => Promise.reject(new Error('over')));
  channel.onclose = () => closed++;
  channel.send(utf8('x'));
  await new Promise((done) => setTimeout(done));
  channel.close();
  expect([closed, channel.readyState]).toEqual([1, 'closed']);
});
