import { describe, expect, test } from 'vitest';
import { PALETTES, paletteNamed } from './palettes';

describe('the colours of terminals', () => {
  test('there are dark, light and high contrast ones, beside the console’s own', () => {
    expect(PALETTES.map(({ name }) => name)).toEqual(['console', 'dark', 'light', 'contrast']);
  });

  test('what was kept is taken, and what nobody knows is the console’s', () => {
    expect(PALETTES.map(({ name }) => paletteNamed(name))).toEqual(['console', 'dark', 'light', 'contrast']);
    expect([null, '', 'solarized'].map(paletteNamed)).toEqual(['console', 'console', 'console']);
  });
});
