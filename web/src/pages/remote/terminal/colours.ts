/** The terminal's colours, from the same tokens as the page. */

import type { ITheme } from '@xterm/xterm';

export function colours(): ITheme {
  const style = getComputedStyle(document.documentElement);
  const token = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const of = (name: string) => token(`term-${name}`);
  const dark = document.documentElement.dataset.theme !== 'light';
  return {
    background: of('bg'),
    foreground: of('text'),
    cursor: token('accent'),
    cursorAccent: of('bg'),
    selectionBackground: of('select'),
    selectionInactiveBackground: of('select'),
    black: dark ? '#3a4149' : '#24292f',
    red: of('red'),
    green: of('green'),
    yellow: of('yellow'),
    blue: of('blue'),
    magenta: token('wait'),
    cyan: of('cyan'),
    white: dark ? '#c9ced4' : '#5c636b',
    brightBlack: of('dim'),
    brightRed: of('red'),
    brightGreen: of('green'),
    brightYellow: of('yellow'),
    brightBlue: of('blue'),
    brightMagenta: token('wait'),
    brightCyan: of('cyan'),
    brightWhite: dark ? '#f4f6f8' : '#24292f',
    scrollbarSliderBackground: token('line-2'),
    scrollbarSliderHoverBackground: token('line-control'),
    scrollbarSliderActiveBackground: token('line-control'),
  };
}
