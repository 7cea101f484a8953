/** Recovery codes as people see and type them. */

const CROCKFORD = /^[0-9A-HJKMNP-TV-Z]{24}$/;

/** What was typed, as the plain 24 signs: case, spaces, dashes and look-alikes do not matter. */
export const plainCode = (typed: string): string =>
  typed.toUpperCase().replace(/[\s\-–—]/g, '').replaceAll('O', '0').replace(/[IL]/g, '1');

export const isRecoveryCode = (typed: string): boolean => CROCKFORD.test(plainCode(typed));

/** Groups of four, with dashes. */
export const groupedCode = (code: string): string => (plainCode(code).match(/.{1,4}/g) ?? []).join('-');

/** The file that the owner keeps. */
export function codesFile(codes: string[], account: string, server: string, made: Date): string {
  const lines = codes.map((code, at) => `${String(at + 1).padStart(2, ' ')}. ${groupedCode(code)}`);
  return [
    'Sallyport recovery codes',
    `${account} at ${server}, made ${made.toISOString().slice(0, 10)}`,
    '',
    ...lines,
    '',
    'Each signs in once, in place of a code from the authenticator. Keep them where only you can read them.',
    '',
  ].join('\n');
}
