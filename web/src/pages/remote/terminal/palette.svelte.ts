/** Which colours terminals have: those of the console, or others that this browser's person chose for terminals alone. */

import { remember, remembered, theme } from '$lib/theme.svelte';
import { type PaletteName, paletteNamed } from './palettes';

const KEPT = 'terminal-colours';

class Palette {
  name = $state<PaletteName>(paletteNamed(remembered(KEPT)));

  get dark(): boolean {
    return this.name === 'console' ? theme.name === 'dark' : this.name !== 'light';
  }

  /** Seven to one where somebody wants to see better, as AAA has it. */
  get contrast(): number {
    return this.name === 'contrast' ? 7 : 4.5;
  }

  /** What marks the place of a terminal on the page, so that tokens have these colours there. */
  get marks(): { 'data-theme': 'dark' | 'light'; 'data-contrast': '' | undefined } {
    return { 'data-theme': this.dark ? 'dark' : 'light', 'data-contrast': this.name === 'contrast' ? '' : undefined };
  }

  choose(name: PaletteName): void {
    this.name = name;
    remember(KEPT, name);
  }
}

export const palette = new Palette();
