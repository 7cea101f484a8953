import { execFileSync } from 'node:child_process';
import { expect, type Locator, type Page } from '@playwright/test';
import { code, page, place } from './office.js';
import { keep } from './pictures.js';
import { approve, authorize, installer, look } from './steps.js';

/** Enrols and approves the machines of these agents. */
export async function enrol(...states: string[]): Promise<void> {
  const file = await installer(page, place, states.length, () => authorize(page, code, 'installer'));
  for (const state of states) place.enrol(state, file);
  await approve(page, place, states.length);
}

/** The id of the device whose row is this one. */
export async function deviceId(row: (links: Locator) => Locator): Promise<string> {
  await page.goto(`${place.url}/devices`);
  const link = row(page.getByRole('table').getByRole('link')).first();
  return (await link.getAttribute('href'))?.split('/').at(-1) ?? '';
}

/** Where a step-up window is open, nothing is asked; where none is, the panel opens and takes a code. */
export async function proveIfAsked(there: Locator, on: Page = page): Promise<'by a code' | 'at once'> {
  const field = on.locator('#gate-code');
  await expect(field.or(there).first()).toBeVisible();
  if (!(await field.isVisible())) return 'at once';
  await field.fill(await code());
  const receipt = on.locator('[data-receipt-next]');
  await expect(receipt.or(there).first()).toBeVisible();
  if (await receipt.isVisible()) await receipt.click();
  await expect(there.first()).toBeVisible();
  return 'by a code';
}

export const connected = (on: Page = page) => on.locator('.sessionbar').getByText('Connected', { exact: true }).first();

/** The lines that the terminal shows. */
export const rows = (on: Page = page) => on.locator('[data-term] .xterm-rows');
export const shows = (text: string | RegExp, on: Page = page) =>
  expect.poll(async () => (await rows(on).innerText()).replaceAll('\u00a0', ' '), { timeout: 20_000 }).toMatch(text);

/** Types into the terminal. */
export async function type(text: string, on: Page = page): Promise<void> {
  await on.locator('.xterm-helper-textarea').focus();
  await on.keyboard.type(text);
}

export const line = (text: string, on: Page = page) => type(`${text}\n`, on);

/** A page's pictures in both themes, for people to look at, and for the guide. */
export async function both(name: string, on: Page = page): Promise<void> {
  await keep(on, name);
  await look(on, `${name}-dark`);
  await otherTheme(on);
  await look(on, `${name}-light`);
  await otherTheme(on);
}

export const otherTheme = (on: Page = page) => on.locator('.topbar').getByRole('button', { name: /dark|light/i }).click();

/** The machine's own word about a process: `ps -o` of it, nothing where it is gone. */
export function ofProcess(pid: number, what: string): string {
  try {
    return execFileSync('ps', ['-o', `${what}=`, '-p', String(pid)], { encoding: 'utf8' }).trim();
  } catch {
    return '';
  }
}
