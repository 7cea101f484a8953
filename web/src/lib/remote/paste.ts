/** What is pasted into a terminal: cleaned, and shown first where it would run at once. */

/** Escape sequences do not come by clipboard: a page could hide the end of a bracketed paste in them. */
export const cleaned = (text: string): string => text.replace(/\r\n?/g, '\n').replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '');

/** More than one line is asked about, also with bracketed paste: not every program honours it. */
export const wantsAsking = (text: string): boolean => cleaned(text).replace(/\n$/, '').includes('\n') || text.length > 4000;

/** What a person must see before agreeing: control characters that were taken out, and the lines. */
export function pasteFacts(text: string): { lines: string[]; more: number; removed: number } {
  const clean = cleaned(text);
  const lines = clean.replace(/\n$/, '').split('\n');
  return { lines: lines.slice(0, 200), more: Math.max(0, lines.length - 200), removed: text.replace(/\r\n?/g, '\n').length - clean.length };
}
