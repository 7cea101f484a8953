import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { type Browser, type BrowserContext, type BrowserContextOptions, expect, type Page } from '@playwright/test';
import { Authenticator } from './authenticator.js';
import type { Installation } from './installation.js';
import { Passkeys } from './passkeys.js';
import { keep } from './pictures.js';
import { accessible, keepCodes, look, type Owner, setUp, watch } from './steps.js';

export interface Person {
  name: string;
  email: string;
}

/** From now on the owner's laptop knows their finger: no test waits for codes. */
export async function addPasskey(on: Page, where: Installation, { authenticator }: Owner): Promise<void> {
  await Passkeys.on(on);
  await on.goto(`${where.url}/profile`);
  await on.getByRole('button', { name: 'Passkey', exact: true }).click();
  await on.getByRole('dialog').getByLabel(/code/i).fill(await authenticator.soon());
  await expect(on.locator('.factor')).toHaveCount(2);
}

/** An owner whose laptop knows their finger: no test waits for codes. */
export async function ownerOf(where: Installation, browser: Browser, from: BrowserContextOptions = {}): Promise<{ context: BrowserContext; page: Page; owner: Owner; faults: string[] }> {
  const opened = await browser.newContext(from);
  const first = await opened.newPage();
  const faults = watch(first);
  const owner = await setUp(first, where);
  await addPasskey(first, where, owner);
  return { context: opened, page: first, owner, faults };
}

export const panel = (on: Page) => on.getByRole('dialog', { name: 'Authorize' });

export async function touch(on: Page, name: string): Promise<void> {
  await expect(panel(on)).toBeVisible();
  await accessible(on, `authorize-${name}`);
  await look(on, `authorize-${name}`);
  await panel(on).getByRole('button', { name: 'Authorize with your passkey' }).click();
  await on.locator('[data-receipt-next]').click();
}

/** Fills in the dialog and hands out the link that is shown once. */
export async function invite(on: Page, where: Installation, who: Person, prepare: () => Promise<void> = async () => {}): Promise<void> {
  await on.goto(`${where.url}/users`);
  await on.getByRole('button', { name: 'Invite', exact: true }).click();
  await on.locator('#invite-name').fill(who.name);
  await on.locator('#invite-email').fill(who.email);
  await prepare();
  await on.getByRole('dialog').getByRole('button', { name: 'Invite', exact: true }).click();
  await touch(on, 'invite');
}

/** The link in the dialog, which does not close before it was copied. */
export async function copied(on: Page): Promise<string> {
  const dialog = on.getByRole('dialog', { name: /^The link for/ });
  const link = await dialog.getByLabel('One-use link').inputValue();
  await expect(dialog.getByRole('button', { name: 'Done' })).toBeDisabled();
  await accessible(on, 'link');
  await look(on, 'link');
  await on.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await dialog.getByRole('button', { name: 'Copy the link' }).click();
  await dialog.getByRole('button', { name: 'Done' }).click();
  return link;
}

/** Goes through an invitation or an activation as its owner does, with the picture read by another program. */
export async function activate(on: Page, link: string, password: string, fresh: boolean, folder: string): Promise<Authenticator> {
  await on.goto(link);
  await expect(on).not.toHaveURL(/#/); // the token leaves the address at once
  await expect(on.getByText('This browser', { exact: true })).toBeVisible();
  await accessible(on, 'invitation');
  await keep(on, fresh ? 'invitation' : 'activation');
  await look(on, fresh ? 'invitation' : 'activation');
  await on.getByRole('button', { name: 'That is me, go on' }).click();
  if (fresh) await expect(on.locator('#new-password-hint')).toContainText('Use it nowhere else.');
  await on.locator(fresh ? '#new-password' : '#own-password').fill(password);
  await accessible(on, 'invitation-password');
  await on.getByRole('button', { name: 'Go on', exact: true }).click();
  const picture = join(folder, `qr-${fresh}.png`);
  await on.getByRole('img', { name: /QR code/ }).screenshot({ path: picture });
  await expect(on.getByText('Best on another device, like your phone')).toBeVisible();
  await look(on, 'invitation-authenticator');
  const uri = execFileSync('zbarimg', ['-q', '--raw', picture], { encoding: 'utf8' }).trim();
  expect(decodeURIComponent(uri)).toContain('Northwind IT');
  const authenticator = new Authenticator(new URL(uri).searchParams.get('secret') ?? '');
  await on.locator('#enrol-code').fill(await authenticator.soon());
  await keepCodes(on);
  return authenticator;
}

export async function signInAs(on: Page, where: Installation, who: { email: string; password: string }, code?: string): Promise<void> {
  await on.goto(`${where.url}/sign-in`);
  await on.locator('#email').fill(who.email);
  await on.locator('#password').fill(who.password);
  if (code) return on.locator('#code').fill(code);
  await on.getByRole('button', { name: 'I cannot sign in' }).click();
  await on.getByRole('button', { name: 'sign in without a code' }).click();
  await on.getByRole('button', { name: 'Sign in', exact: true }).click();
}
