/** Line by line comparison of two script versions. */

export interface DiffLine {
  kind: 'same' | 'add' | 'del';
  /** Number in the version where the line stands: the old one for `del`, else the new one. */
  number: number;
  text: string;
}

export const linesOf = (text: string): string[] => {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
};

/** Above this, everything between the common ends counts as replaced: a table of that size would stop the page. */
const LARGEST_TABLE = 4_000_000;

function longestCommon(before: string[], after: string[]): Uint32Array {
  const width = after.length + 1;
  const table = new Uint32Array((before.length + 1) * width);
  for (let b = before.length - 1; b >= 0; b--) {
    for (let a = after.length - 1; a >= 0; a--) {
      const same = before[b] === after[a];
      const [down, right] = [table[(b + 1) * width + a] ?? 0, table[b * width + a + 1] ?? 0];
      table[b * width + a] = same ? (table[(b + 1) * width + a + 1] ?? 0) + 1 : Math.max(down, right);
    }
  }
  return table;
}

function middle(before: string[], after: string[], skipped: number): DiffLine[] {
  const width = after.length + 1;
  const table = before.length * after.length <= LARGEST_TABLE ? longestCommon(before, after) : undefined;
  const lines: DiffLine[] = [];
  let [b, a] = [0, 0];
  while (b < before.length || a < after.length) {
    const [old, fresh] = [before[b], after[a]];
    if (table && old !== undefined && old === fresh) {
      lines.push({ kind: 'same', number: skipped + ++a, text: old });
      b++;
    } else if (old !== undefined && (fresh === undefined || !table || (table[(b + 1) * width + a] ?? 0) >= (table[b * width + a + 1] ?? 0))) {
      lines.push({ kind: 'del', number: skipped + ++b, text: old });
    } else {
      lines.push({ kind: 'add', number: skipped + ++a, text: fresh ?? '' });
    }
  }
  return lines;
}

export function diffLines(beforeText: string, afterText: string): DiffLine[] {
  const [before, after] = [linesOf(beforeText), linesOf(afterText)];
  const shorter = Math.min(before.length, after.length);
  let head = 0;
  while (head < shorter && before[head] === after[head]) head++;
  let tail = 0;
  while (tail < shorter - head && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail++;
  const same = (text: string, number: number): DiffLine => ({ kind: 'same', number, text });
  const first = after.slice(0, head).map((text, at) => same(text, at + 1));
  const changed = middle(before.slice(head, before.length - tail), after.slice(head, after.length - tail), head);
  const last = after.slice(after.length - tail).map((text, at) => same(text, after.length - tail + at + 1));
  return [...first, ...changed, ...last];
}

export interface Folded {
  kind: 'fold';
  lines: number;
}

/** Fewer lines than a fold would save stay. */
const FEWEST_FOLDED = 3;

/** Hides long unchanged stretches, but never a changed line or its neighbours. */
export function folded(lines: DiffLine[], around = 3): (DiffLine | Folded)[] {
  const near = new Set<number>();
  lines.forEach((line, at) => {
    if (line.kind === 'same') return;
    for (let other = at - around; other <= at + around; other++) near.add(other);
  });
  const out: (DiffLine | Folded)[] = [];
  let hidden: DiffLine[] = [];
  const close = () => {
    if (hidden.length > FEWEST_FOLDED) out.push({ kind: 'fold', lines: hidden.length });
    else out.push(...hidden);
    hidden = [];
  };
  for (const [at, line] of lines.entries()) {
    if (!near.has(at)) {
      hidden.push(line);
      continue;
    }
    close();
    out.push(line);
  }
  close();
  return out;
}
