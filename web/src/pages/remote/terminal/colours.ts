/** The terminal's colours, from the same tokens as the page. */

import type { ITheme, Terminal } from '@xterm/xterm';
import { palette } from './palette.svelte';

/** Reads the tokens that hold where a terminal is, which need not be those of the page around it. */
export function tokens<Name extends string>(...names: Name[]): Record<Name, string> {
  const probe = document.createElement('i');
  probe.hidden = true;
  for (const [name, value] of Object.entries(palette.marks)) if (value !== undefined) probe.setAttribute(name, value);
  document.body.append(probe);
  const style = getComputedStyle(probe);
  const found = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  probe.remove();
  return found as Record<Name, string>;
}

function colours(): ITheme {
  const of = tokens(
    'term-bg', 'term-text', 'term-select', 'term-dim', 'term-red', 'term-green', 'term-yellow', 'term-blue', 'term-cyan',
    'accent', 'wait', 'line-2', 'line-control',
  );
  return {
    background: of['term-bg'],
    foreground: of['term-text'],
    cursor: of.accent,
    cursorAccent: of['term-bg'],
    selectionBackground: of['term-select'],
    selectionInactiveBackground: of['term-select'],
    black: palette.dark ? '#3a4149' : '#24292f',
    red: of['term-red'],
    green: of['term-green'],
    yellow: of['term-yellow'],
    blue: of['term-blue'],
    magenta: of.wait,
    cyan: of['term-cyan'],
    white: palette.dark ? '#c9ced4' : '#5c636b',
    brightBlack: of['term-dim'],
    brightRed: of['term-red'],
    brightGreen: of['term-green'],
    brightYellow: of['term-yellow'],
    brightBlue: of['term-blue'],
    brightMagenta: of.wait,
    brightCyan: of['term-cyan'],
    brightWhite: palette.dark ? '#f4f6f8' : '#24292f',
    scrollbarSliderBackground: of['line-2'],
    scrollbarSliderHoverBackground: of['line-control'],
    scrollbarSliderActiveBackground: of['line-control'],
  };
}

export function paint(term: Terminal): void {
  term.options.minimumContrastRatio = palette.contrast;
  term.options.theme = colours();
}
