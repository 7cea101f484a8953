/** Which rows of a long list are on the screen. */

export interface Range {
  first: number;
  /** One after the last. */
  end: number;
  above: number;
  below: number;
}

/** Rows kept ready beyond each edge, so that a fast wheel does not meet emptiness. */
const SPARE = 12;

export function visibleRows(total: number, rowHeight: number, scrolled: number, height: number): Range {
  const first = Math.max(0, Math.min(total, Math.floor(scrolled / rowHeight) - SPARE));
  const end = Math.min(total, Math.max(first, Math.ceil((scrolled + height) / rowHeight) + SPARE));
  return { first, end, above: first * rowHeight, below: (total - end) * rowHeight };
}
