import { expect, test } from 'vitest';
import { highlighted } from './highlight';

const SCRIPTS: [string, string][] = [
  ['bash', '#!/usr/bin/env bash\nset -euo pipefail\nfind /var -mtime "+${days}" -delete # gone\nif [ "$x" ]; then echo \'a "b\'; fi\n'],
  ['python3', '"""A\nlong text"""\nimport os\nprint(f"{x} \\" y", 1)  # why\n'],
  ['pwsh', "<# a\nb #>\nGet-Service -Name 'x' | ForEach-Object { $_.Name }\n"],
  ['sh', 'echo "never closed\n$HOME'],
  ['unknown', 'a < b & c\n'],
];

test.each(SCRIPTS)('%s: the tokens are exactly the text', (interpreter, text) => {
  const lines = highlighted(text, interpreter);
  expect(lines.map((line) => line.map((token) => token.text).join('')).join('\n')).toBe(text);
});

test('a variable inside of double quotes keeps its own colour, and the string goes on after it', () => {
  const kinds = highlighted('echo "a ${b} c"', 'bash')[0]?.map((token) => [token.kind, token.text]);
  expect(kinds).toEqual([['f', 'echo'], ['', ' '], ['s', '"a '], ['v', '${b}'], ['s', ' c"']]);
});
