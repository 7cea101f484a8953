/** The colours that terminals can have. */

export type PaletteName = 'console' | 'dark' | 'light' | 'contrast';

export const PALETTES: readonly { name: PaletteName; word: string }[] = [
  { name: 'console', word: 'As the console' },
  { name: 'dark', word: 'Dark' },
  { name: 'light', word: 'Light' },
  { name: 'contrast', word: 'High contrast' },
];

/** What was kept, by this version or by another; what is not known is the console's. */
export const paletteNamed = (kept: string | null): PaletteName => PALETTES.find(({ name }) => name === kept)?.name ?? 'console';
