/** Six digits from an authenticator, however they were typed, pasted or filled in. */

export const CODE_DIGITS = 6;

/** Keeps the digits, also full-width and Arabic-Indic ones, and no more than six of them. */
export function digitsOf(typed: string): string {
  const plain = typed.normalize('NFKC').replace(/[\u0660-\u0669\u06f0-\u06f9]/g, (digit) => String(digit.charCodeAt(0) & 15));
  return plain.replace(/[^0-9]/g, '').slice(0, CODE_DIGITS);
}

export const isWhole = (code: string): boolean => code.length === CODE_DIGITS;

/** Seconds until the authenticator shows the next code (RFC 6238: steps of 30 s). */
export const untilNextCode = (nowMs: number): number => 30 - (Math.floor(nowMs / 1000) % 30);
