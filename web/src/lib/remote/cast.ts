/** Recordings of terminals: asciicast v2, one JSON value a line, as public players read it too. */

export interface CastEvent {
  /** Seconds since the beginning. */
  at: number;
  kind: 'o' | 'i' | 'r' | 'm';
  text: string;
}

export interface Cast {
  columns: number;
  rows: number;
  started: number | undefined;
  title: string | undefined;
  events: CastEvent[];
  length: number;
  /** The file ends in the middle of a line: the device was interrupted. */
  cut: boolean;
}

const MOST_CELLS = 1000;
const cells = (value: unknown, fallback: number): number => (typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= MOST_CELLS ? value : fallback);

/** Reads what can be read; throws a TypeError where it is no recording at all. */
export function readCast(text: string): Cast {
  const lines = text.split('\n');
  const head = JSON.parse(lines[0] ?? '') as { version?: unknown; width?: unknown; height?: unknown; timestamp?: unknown; title?: unknown };
  if (head.version !== 2) throw new TypeError('not an asciicast of version 2');
  const events: CastEvent[] = [];
  let cut = false;
  for (const line of lines.slice(1)) {
    if (!line.trim()) continue;
    const event = eventFrom(line, events.at(-1)?.at ?? 0);
    if (!event) {
      cut = true;
      break;
    }
    events.push(event);
  }
  return {
    columns: cells(head.width, 80),
    rows: cells(head.height, 24),
    started: typeof head.timestamp === 'number' ? head.timestamp : undefined,
    title: typeof head.title === 'string' ? head.title : undefined,
    events,
    length: events.at(-1)?.at ?? 0,
    cut,
  };
}

function eventFrom(line: string, before: number): CastEvent | undefined {
  try {
    const [at, kind, text] = JSON.parse(line) as [unknown, unknown, unknown];
    if (typeof at !== 'number' || typeof text !== 'string' || !['o', 'i', 'r', 'm'].includes(String(kind))) return undefined;
    // Time never goes back, whatever the file says.
    return { at: Math.max(before, at), kind: kind as CastEvent['kind'], text };
  } catch {
    return undefined;
  }
}

/** The same recording with no pause longer than so many seconds. */
export function withoutPauses(cast: Cast, longest: number): Cast {
  let [before, at] = [0, 0];
  const events = cast.events.map((event) => {
    // Whole microseconds: a slider that loses the last bit of a sum would stop before the last event.
    at = Math.round((at + Math.min(longest, event.at - before)) * 1_000_000) / 1_000_000;
    before = event.at;
    return { ...event, at };
  });
  return { ...cast, events, length: at };
}

/** `80x24`, as size changes are written. */
export function sizeOf(event: CastEvent): { columns: number; rows: number } | undefined {
  const [columns, rows] = event.text.split('x').map(Number);
  return columns && rows && columns <= MOST_CELLS && rows <= MOST_CELLS ? { columns, rows } : undefined;
}

export interface Hit {
  at: number;
  line: string;
}

// Escape sequences: CSI, OSC and the like, then other control characters.
const ESCAPES = /\u001b\[[0-?]*[ -/]*[@-~]|\u001b[\]PX^_][\s\S]*?(?:\u0007|\u001b\\)|\u001b[ -/]*[0-~]|[\u0000-\u0009\u000b-\u001f\u007f]/g;
const MOST_HITS = 200;

/** Where a text was written, line by line, each with the moment in which the line was finished. */
export function findInCast(cast: Cast, sought: string): Hit[] {
  const wanted = sought.toLowerCase();
  const hits: Hit[] = [];
  if (!wanted) return hits;
  let line = '';
  const look = (at: number) => {
    if (line.toLowerCase().includes(wanted)) hits.push({ at, line: line.trim().slice(0, 160) });
    line = '';
  };
  for (const event of cast.events) {
    if (event.kind !== 'o') continue;
    const parts = event.text.replace(ESCAPES, '').split('\n');
    for (const [index, part] of parts.entries()) {
      if (index > 0) look(event.at);
      line += part;
    }
    if (hits.length >= MOST_HITS) return hits;
  }
  look(cast.length);
  return hits;
}
