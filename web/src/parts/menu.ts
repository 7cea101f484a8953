/** What a menu is made of. */

import type { IconName } from './icons';

export interface MenuItem {
  word: string;
  icon?: IconName;
  /** Opens the authorization panel. */
  guard?: boolean;
  bad?: boolean;
  /** Why it cannot be done now. */
  why?: string | undefined;
  key?: string;
  current?: boolean;
  act: () => void;
}

export type MenuEntry = MenuItem | 'line' | { label: string };

/** What a menu belongs to: a button, or the point that was pressed. */
export type Anchor = HTMLElement | { x: number; y: number };
