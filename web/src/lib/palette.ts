/** What the palette understands: words that must all occur, and `run <script> on <place or device>`. */

export interface Wish {
  script: string;
  where: string;
}

/** Reads `run disk-clean on site Lyon`; undefined where it is no wish to run something. */
export function runWish(text: string): Wish | undefined {
  const found = /^run\b\s*(.*?)(?:\s+on\s+(?:site\s+|customer\s+|device\s+)?(.*))?$/i.exec(text.trim());
  return found ? { script: found[1]?.trim() ?? '', where: found[2]?.trim() ?? '' } : undefined;
}

const TABS = ['terminal', 'files', 'screen', 'processes', 'services', 'logs', 'software'] as const;

export interface Visit {
  tab: (typeof TABS)[number];
  device: string;
}

/** Reads `terminal web-01` and `files on web-01`; undefined where no such part of a device is named, or no device. */
export function visitWish(text: string): Visit | undefined {
  const [word = '', ...rest] = text.trim().split(/\s+/);
  const tab = TABS.find((one) => one === word.toLowerCase());
  const device = (rest[0]?.toLowerCase() === 'on' ? rest.slice(1) : rest).join(' ');
  return tab && device ? { tab, device } : undefined;
}

/** Lower is better; undefined where a word of the query does not occur. */
export function rank(query: string, text: string): number | undefined {
  const [low, wanted] = [text.toLowerCase(), query.toLowerCase().split(/\s+/).filter(Boolean)];
  let sum = 0;
  for (const word of wanted) {
    const at = low.indexOf(word);
    if (at < 0) return undefined;
    sum += at === 0 ? 0 : /[\s\-_/.]/.test(low.charAt(at - 1)) ? 1 : 4 + at / 100;
  }
  return sum + low.length / 1000;
}

export function best<T>(query: string, all: T[], text: (one: T) => string, most: number): T[] {
  return all
    .map((one) => ({ one, score: rank(query, text(one)) }))
    .filter((entry): entry is { one: T; score: number } => entry.score !== undefined)
    .sort((left, right) => left.score - right.score)
    .slice(0, most)
    .map((entry) => entry.one);
}
