/** The code that a program on another computer shows (RFC 8628): eight letters without vowels, however they were typed or pasted. */

const LETTERS = /[^BCDFGHJKLMNPQRSTVWXZ]/g;
const LENGTH = 8;

/** Two groups of four letters; what cannot be in a code is left out. */
export function groupedUserCode(typed: string): string {
  const letters = typed.normalize('NFKC').toUpperCase().replace(LETTERS, '').slice(0, LENGTH);
  return letters.length > LENGTH / 2 ? `${letters.slice(0, LENGTH / 2)}-${letters.slice(LENGTH / 2)}` : letters;
}

export const isUserCode = (code: string): boolean => code.length === LENGTH + 1;
