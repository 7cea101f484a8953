import { expect, test } from 'vitest';
import { EventParser, waitBefore } from './sse';

const STREAM = ': hello\n\nevent: device\ndata: {"a":1}\n\ndata: one\ndata: two\nid: 7\n\nevent: nothing\n\nevent:run\r\ndata:x\r\n\r\n';

const EXPECTED = [
  { event: 'device', data: '{"a":1}', id: undefined },
  { event: 'message', data: 'one\ntwo', id: '7' },
  { event: 'run', data: 'x', id: '7' },
];

test('events are read, comments and events without data are not', () => {
  expect(new EventParser().push(STREAM)).toEqual(EXPECTED);
});

test('however the bytes are cut, the events are the same', () => {
  for (let size = 1; size < STREAM.length; size++) {
    const parser = new EventParser();
    const events = [];
    for (let at = 0; at < STREAM.length; at += size) events.push(...parser.push(STREAM.slice(at, at + size)));
    expect(events).toEqual(EXPECTED);
  }
});

test('an unfinished event stays back', () => {
  const parser = new EventParser();
  expect(parser.push('event: run\ndata: 1\n')).toEqual([]);
  expect(parser.push('\n')).toHaveLength(1);
});

test('waits double up to half a minute, and chance spreads them', () => {
  expect([0, 1, 2, 3].map((attempt) => waitBefore(attempt, 1))).toEqual([500, 1000, 2000, 4000]);
  expect(waitBefore(0, 0)).toBe(250);
  expect(waitBefore(50, 1)).toBe(30_000);
});
