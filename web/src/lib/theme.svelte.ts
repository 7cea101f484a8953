/** Dark and light are equals; the choice is this browser's. */

export type ThemeName = 'dark' | 'light';

class Theme {
  name = $state<ThemeName>(document.documentElement.dataset.theme === 'light' ? 'light' : 'dark');

  flip(): void {
    this.name = this.name === 'dark' ? 'light' : 'dark';
    document.documentElement.dataset.theme = this.name;
    remember('theme', this.name);
  }
}

export const theme = new Theme();

/** Small preferences of this browser. Storage may be refused; then they last as long as the page. */
export function remember(name: string, value: string): void {
  try {
    localStorage.setItem(name, value);
  } catch {
    // Nothing depends on it.
  }
}

export function remembered(name: string): string | null {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}
