/** Recordings of screens: FBS 001.000, blocks of what a VNC server said, each with its moment. */

import type { Bytes } from '$lib/crypto/bytes';

export interface FilmBlock {
  /** Seconds since the beginning. */
  at: number;
  bytes: Bytes;
}

export interface Film {
  blocks: FilmBlock[];
  length: number;
  /** The moment of the first picture: before it there is nothing to show. */
  opening: number;
  /** The file ends in the middle of a block: the device was interrupted. */
  cut: boolean;
}

const MAGIC = 'FBS 001.000\n';

/** Reads what can be read; throws a TypeError where it is no recording at all. */
export function readFilm(whole: Uint8Array): Film {
  if (new TextDecoder('latin1').decode(whole.subarray(0, MAGIC.length)) !== MAGIC) throw new TypeError('not an FBS recording');
  const view = new DataView(whole.buffer, whole.byteOffset, whole.byteLength);
  const blocks: FilmBlock[] = [];
  let [place, at] = [MAGIC.length, 0];
  while (place + 4 <= whole.length) {
    const size = view.getUint32(place);
    const time = place + 4 + Math.ceil(size / 4) * 4;
    if (time + 4 > whole.length) break;
    // Time never goes back, whatever the file says.
    at = Math.max(at, view.getUint32(time) / 1000);
    blocks.push({ at, bytes: whole.subarray(place + 4, place + 4 + size) as Bytes });
    place = time + 4;
  }
  return { blocks, length: at, opening: openingOf(blocks), cut: place < whole.length };
}

/** What a server says before its first picture: version, security, result, and its size and name. */
const BEFORE_NAME = 12 + 2 + 4 + 24;
/** One picture may be told in several blocks. */
const ONE_PICTURE_SECS = 0.2;

function openingOf(blocks: FilmBlock[]): number {
  const head: number[] = [];
  let said = 0;
  for (const { at, bytes } of blocks) {
    const name = head.slice(-4).reduce((sum, byte) => sum * 256 + byte, 0);
    if (head.length === BEFORE_NAME && said >= BEFORE_NAME + name) return at + ONE_PICTURE_SECS;
    head.push(...bytes.subarray(0, BEFORE_NAME - head.length));
    said += bytes.length;
  }
  return blocks.at(-1)?.at ?? 0;
}

/** How many blocks belong to the picture of a moment. */
export function blocksUntil(film: Film, at: number): number {
  let [low, high] = [0, film.blocks.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((film.blocks[middle]?.at ?? 0) <= at) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The same recording with no pause longer than so many seconds. */
export function withoutStills(film: Film, longest: number): Film {
  let [before, at] = [0, 0];
  const blocks = film.blocks.map((block) => {
    // Whole milliseconds, as they were recorded: a slider that loses the last bit of a sum would stop before the last block.
    at = Math.round((at + Math.min(longest, block.at - before)) * 1000) / 1000;
    before = block.at;
    return { ...block, at };
  });
  return { ...film, blocks, length: at, opening: openingOf(blocks) };
}
