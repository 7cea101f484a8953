import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { BrowserContext, Page } from '@playwright/test';
import { serious } from './steps.js';

/** With SALLYPORT_PICTURES set, axe reads every combination, and the guide's pictures are taken anew. */
export const THOROUGH = Boolean(process.env['SALLYPORT_PICTURES']);
export const FOLDER = join(import.meta.dirname, '../out/pictures');
export const WIDTHS = { wide: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } };
const THEMES = ['light', 'dark'] as const;
const GUIDE = resolve(import.meta.dirname, '../../../docs/pictures');

/** Both themes and widths of what is on the page now; returns what is wrong. Each theme and each width is read by axe at least once. */
export async function seen(page: Page, name: string): Promise<string[]> {
  mkdirSync(FOLDER, { recursive: true });
  const found: string[] = [];
  for (const width of ['wide', 'phone'] as const) {
    await page.setViewportSize(WIDTHS[width]);
    for (const theme of THEMES) {
      await turn(page, theme);
      const picture = `${name}-${width}-${theme}`;
      await page.screenshot({ path: join(FOLDER, `${picture}.png`) });
      const sideways = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (sideways > 0) found.push(`${picture}: ${sideways} px too wide`);
      if (THOROUGH || (width === 'wide') === (theme === 'light')) found.push(...(await serious(page, picture)));
    }
  }
  await page.setViewportSize(WIDTHS.wide);
  return found;
}

/** The guide's pictures of what is on the page now, dark and light. */
export async function keep(page: Page, name: string): Promise<void> {
  if (!THOROUGH) return;
  const before = await page.evaluate(() => document.documentElement.dataset['theme'] ?? 'dark');
  for (const theme of THEMES) {
    await turn(page, theme);
    const png = await page.screenshot();
    writeFileSync(join(GUIDE, `${name}-${theme}.webp`), await webp(page.context(), png));
  }
  await turn(page, before);
}

async function turn(page: Page, theme: string): Promise<void> {
  await page.evaluate((wanted) => (document.documentElement.dataset['theme'] = wanted), theme);
  await page.waitForTimeout(200); // colours may take their 150 ms
}

/** Wide enough to read, small enough to keep many: a tenth of the PNG. The browser itself makes it, so that no other program is needed. */
async function webp(context: BrowserContext, png: Buffer): Promise<Buffer> {
  const desk = await context.newPage();
  const bytes = await desk.evaluate(async (text) => {
    const raw = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const picture = await createImageBitmap(new Blob([raw], { type: 'image/png' }));
    const scale = Math.min(1, 1152 / picture.width);
    const canvas = new OffscreenCanvas(Math.round(picture.width * scale), Math.round(picture.height * scale));
    const pen = canvas.getContext('2d');
    if (!pen) throw new Error('this browser does not draw');
    pen.imageSmoothingQuality = 'high';
    pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
    const blob = await canvas.convertToBlob({ type: 'image/webp', quality: 0.7 });
    return Array.from(new Uint8Array(await blob.arrayBuffer()));
  }, png.toString('base64'));
  await desk.close();
  return Buffer.from(bytes);
}
