import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import { expect, type Page } from '@playwright/test';
import { Authenticator } from './authenticator.js';
import type { Installation } from './installation.js';

export const OWNER = { company: 'Northwind IT', name: 'Robin Owner', email: 'robin@northwind.example', password: 'six lanterns cross the harbour' };

/** Nothing may be blocked by the content security policy, nothing may throw, and nothing may open a dialog of the browser's own. */
export function watch(page: Page): string[] {
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('dialog', (dialog) => {
    faults.push(`a page opened a dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('console', (message) => {
    if (message.type() === 'error' && /Content Security Policy|Trusted/i.test(message.text())) faults.push(message.text());
  });
  return faults;
}

export async function look(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join(import.meta.dirname, '../out/pictures', `${name}.png`) });
}

export async function accessible(page: Page, where: string): Promise<void> {
  expect(await serious(page, where)).toEqual([]);
}

/** What axe finds serious or critical, in a line each. The console has no frames, so axe needs no page of its own to sum up. */
export async function serious(page: Page, where: string): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).setLegacyMode().analyze();
  const found = violations.filter((one) => one.impact === 'serious' || one.impact === 'critical');
  return found.map((one) => `${where}: ${one.id}: ${one.nodes.map((node) => node.html).slice(0, 3).join(' ')}`);
}

export interface Owner {
  authenticator: Authenticator;
  recoveryCodes: string[];
  /** The authority kit, as the set-up saved it. */
  kit: string;
}

/** What browsers need of an installation, whoever started it. */
export type Reached = Pick<Installation, 'url' | 'setupLink' | 'folder'>;

/** The set-up as its owner does it, with the code read from the picture by another program. */
export async function setUp(page: Page, place: Reached, { see = async (_: string) => {}, code = (from: Authenticator) => from.soon() } = {}): Promise<Owner> {
  const sent: string[] = [];
  page.on('request', (request) => sent.push(`${request.url()} ${request.postData() ?? ''}`));
  await page.goto(place.setupLink);
  await page.getByLabel('Company').fill(OWNER.company);
  await page.getByLabel('Your name').fill(OWNER.name);
  await page.getByLabel('E-mail').fill(OWNER.email);
  await expect(page.locator('#password-hint')).toContainText('Use it nowhere else.');
  await page.locator('#password').fill(OWNER.password);
  await see('setup-owner');
  await page.locator('form button[type=submit]').click();
  const kit = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Download the kit' }).click();
  expect((await kit).suggestedFilename()).toContain('authority');
  const kept = join(place.folder, (await kit).suggestedFilename());
  await (await kit).saveAs(kept);
  await see('setup-authority');
  await page.getByRole('checkbox').check();
  await page.getByRole('button', { name: 'Go on' }).click();
  const picture = join(place.folder, 'qr.png');
  await page.getByRole('img', { name: /QR code/ }).screenshot({ path: picture });
  await expect(page.getByText('Best on another device, like your phone')).toBeVisible();
  await see('setup-authenticator');
  const uri = execFileSync('zbarimg', ['-q', '--raw', picture], { encoding: 'utf8' }).trim();
  const secret = new URL(uri).searchParams.get('secret') ?? '';
  expect(uri).toContain('Northwind');
  const authenticator = new Authenticator(secret);
  await page.locator('#enrol-code').fill(await code(authenticator));
  const recoveryCodes = await keepCodes(page, () => see('setup-codes'));
  await expect(page).toHaveURL(/\/devices/);
  const { private_key_pkcs8: key }: { private_key_pkcs8: string } = JSON.parse(readFileSync(kept, 'utf8'));
  expect(key.length).toBeGreaterThan(40);
  expect(sent.filter((one) => one.includes(key))).toEqual([]); // the authority key never leaves this browser
  expect(sent.filter((one) => one.includes(OWNER.email)).length).toBeGreaterThan(0);
  return { authenticator, recoveryCodes, kit: kept };
}

/** Ten recovery codes, or the one that takes a used one's place: read, saved, confirmed. */
export async function keepCodes(page: Page, see: () => Promise<void> = async () => {}, count = 10): Promise<string[]> {
  const list = page.getByRole('list', { name: 'Recovery codes' }).getByRole('listitem');
  await expect(list).toHaveCount(count);
  const codes = await list.allInnerTexts();
  await expect(page.getByText(/^Keep (them|it) off this computer/)).toBeVisible();
  await see();
  const file = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Download' }).click();
  await file;
  await page.getByRole('checkbox').check();
  await page.getByRole('button', { name: 'Done' }).click();
  return codes.map((code) => code.trim());
}

/** Creates an installer and saves its enrolment file. */
export async function installer(page: Page, place: Reached, uses: number, prove: () => Promise<void>): Promise<string> {
  await page.goto(`${place.url}/installers?new=1`);
  await page.locator('#installer-label').fill('Office');
  await page.locator('#installer-uses').fill(String(uses));
  await look(page, 'installer-new');
  await page.getByRole('button', { name: 'Create installer' }).click();
  await prove();
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: /^Download / }).click();
  const file = join(place.folder, 'enrolment.json');
  await (await download).saveAs(file);
  return file;
}

/** Ticks the boxes of so many devices. */
export async function choose(page: Page, count: number): Promise<void> {
  const boxes = page.getByRole('checkbox', { name: /^Select (?!all)/ });
  await expect(boxes).toHaveCount(count);
  for (const box of await boxes.all()) await box.check();
}

export const toolbar = (page: Page) => page.getByRole('toolbar', { name: 'Selection' });

/** Approves so many devices once they have come, which takes a while on a machine that is busy. */
export async function approve(page: Page, place: Reached, count: number, see: () => Promise<void> = async () => {}): Promise<void> {
  await page.goto(`${place.url}/devices?state=pending`);
  await expect(page.getByText('Waits for approval', { exact: true })).toHaveCount(count, { timeout: 60_000 });
  await choose(page, count);
  await see();
  await toolbar(page).getByRole('button', { name: /Approve/ }).click();
  await expect(page.getByText('Nothing waits for approval')).toBeVisible(); // leaving sooner would take the request along
}

/** Answers the authorization panel with a code. */
export async function authorize(page: Page, code: () => Promise<string>, name: string): Promise<void> {
  await expect(page.getByRole('dialog')).toBeVisible();
  await look(page, `authorize-${name}`);
  await page.locator('#gate-code').fill(await code());
  await expect(page.locator('[data-receipt-next]')).toBeVisible();
  await look(page, `receipt-${name}`);
  await page.locator('[data-receipt-next]').click();
}

export interface ScriptWanted {
  name: string;
  text: string;
  parameters?: { name: string; secret: boolean }[];
}

/** Writes a script in the editor and saves it. */
export async function writeScript(page: Page, place: Installation, wanted: ScriptWanted): Promise<void> {
  await page.goto(`${place.url}/scripts/new`);
  await page.locator('#script-name').fill(wanted.name);
  for (const [at, parameter] of (wanted.parameters ?? []).entries()) {
    await page.getByRole('button', { name: 'Add', exact: true }).click();
    const card = page.locator('.parameter').nth(at);
    await card.getByLabel(`Variable ${at + 1}`).fill(parameter.name);
    if (parameter.secret) await card.getByRole('checkbox', { name: 'Secret' }).check();
  }
  await page.locator('.cm-content').click();
  await page.keyboard.press('Control+End');
  await page.keyboard.insertText(wanted.text);
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page.getByRole('link', { name: 'Run', exact: true })).toBeVisible();
}

/** Signs in with what is on the page: a code, or a recovery code. */
export async function signIn(page: Page, given: { password?: string; code?: string; recovery?: string; inPlace?: boolean }): Promise<void> {
  if (!given.inPlace) await page.locator('#email').fill(OWNER.email);
  await page.locator('#password').fill(given.password ?? OWNER.password);
  if (given.recovery) {
    if (await page.getByRole('button', { name: 'Use a recovery code' }).isVisible()) await page.getByRole('button', { name: 'Use a recovery code' }).click();
    await page.locator('#recovery').fill(given.recovery);
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  } else await page.locator('#code').fill(given.code ?? '');
}
