/** What a careful colleague would point at in a script before agreeing. Hints for reading, not a judgement. */

export interface Hint {
  what: string;
  lines: number[];
}

const PATTERNS: [string, RegExp][] = [
  ['delete files', /\brm\s+-|\s-delete\b|\bshred\b|Remove-Item|shutil\.rmtree|os\.remove|\bunlink\(/],
  ['fetch and run code', /(?:curl|wget|iwr|Invoke-WebRequest)\b[^\n]*\|\s*(?:sudo\s+)?(?:ba|z)?sh\b|\|\s*iex\b|Invoke-Expression/i],
  ['restart or stop the device', /\b(?:reboot|poweroff|shutdown|halt)\b|Restart-Computer|Stop-Computer/],
  ['write to a disk as a whole', /\bdd\s+[^\n]*of=\/dev\/|\bmkfs\b|Format-Volume|\bwipefs\b/],
  ['change accounts or rights', /\b(?:useradd|usermod|userdel|passwd|chpasswd|visudo)\b|New-LocalUser|chmod\s+(?:-R\s+)?[0-7]*777/],
];

/** Characters that are not seen, or that turn the direction of those around them (CVE-2021-42574). */
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/gu;

/** The same text with everything unseen spelled out. */
export const visible = (text: string): string =>
  text.replace(UNSEEN, (char) => `⟨U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}⟩`);

const hidesSomething = (line: { text: string }): boolean => visible(line.text) !== line.text;

export function hintsIn(lines: { number: number; text: string }[]): Hint[] {
  const code = lines.filter((line) => !/^\s*#/.test(line.text));
  const found = PATTERNS.map(([what, pattern]) => ({ what, lines: code.filter((line) => pattern.test(line.text)).map((line) => line.number) }));
  const hidden = { what: 'hide characters, spelled out here', lines: lines.filter(hidesSomething).map((line) => line.number) };
  return [hidden, ...found].filter((hint) => hint.lines.length > 0);
}

/** `6`, `6 and 7`, `6, 7 and 9`. */
export function listed(values: (string | number)[]): string {
  if (values.length < 2) return String(values[0] ?? '');
  return `${values.slice(0, -1).join(', ')} and ${values.at(-1)}`;
}
