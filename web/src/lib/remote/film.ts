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
  return { blocks, length: at, cut: place < whole.length };
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
    at += Math.min(longest, block.at - before);
    before = block.at;
    return { ...block, at };
  });
  return { ...film, blocks, length: at };
}
