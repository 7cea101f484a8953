import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, type Page, test } from '@playwright/test';
import { Authenticator } from './support/authenticator.js';
import { code, faults, moveIn, owner, page, place } from './support/office.js';
import { Impostor } from './support/impostor.js';
import { Passkeys } from './support/passkeys.js';
import { factorAges } from './support/past.js';
import { keep } from './support/pictures.js';
import { accessible, keepCodes, look, OWNER, signIn } from './support/steps.js';

moveIn();

const NEW_PASSWORD = 'nine lanterns cross the harbour';
let passkeys: Passkeys;

test.beforeAll(async () => {
  passkeys = await Passkeys.on(page);
});

const factor = (name: string) => page.locator('.factor').filter({ hasText: name });
const panel = () => page.getByRole('dialog', { name: 'Authorize' });

/** Answers the authorization panel with a touch. */
async function touch(name: string): Promise<void> {
  await expect(panel()).toBeVisible();
  await look(page, `authorize-${name}`);
  await panel().getByRole('button', { name: 'Authorize with your passkey' }).click();
  await page.locator('[data-receipt-next]').click();
}

/** Out, without a finger near the key: Chromium also offers passkeys by itself, under the e-mail field. */
async function leave(): Promise<void> {
  await passkeys.touch(false);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
}

/** A touch: for the button's question, or for the one under the field, whichever the browser has put by now. */
async function byPasskey(): Promise<void> {
  await passkeys.touch(true);
  await page.getByRole('button', { name: 'Sign in with a passkey' }).click({ timeout: 5000 }).catch(() => undefined);
  await expect(page.getByRole('navigation', { name: 'Main' })).toBeVisible();
}

test('the only factor stays, and says why', async () => {
  await page.goto(`${place.url}/profile`);
  await page.locator('.factor').getByRole('button', { name: /^Actions/ }).click();
  const remove = page.getByRole('menuitem', { name: /^Remove/ });
  await expect(remove).toHaveAttribute('aria-disabled', 'true');
  await expect(remove).toContainText('Your last factor: add another one first');
  await accessible(page, 'last-factor');
  await remove.click({ force: true });
  await expect(panel()).toHaveCount(0);
  await page.keyboard.press('Escape');
  await expect(page.locator('.factor')).toHaveCount(1);
});

test('WA-01: a passkey is added once the factor that is there was proved, and says where it is kept', async () => {
  await page.getByRole('button', { name: 'Passkey', exact: true }).click();
  await page.getByLabel('Name').fill('Laptop');
  await accessible(page, 'add-passkey');
  await look(page, 'add-passkey');
  await page.getByRole('dialog').getByLabel(/code/i).fill(await code());
  await expect(factor('Laptop')).toContainText('on one device, never copied');
  expect(await passkeys.count()).toBe(1);
  await accessible(page, 'profile-factors');
  await look(page, 'profile-factors');
});

test('WA-02: signing in takes one touch, no name and no password', async () => {
  await leave();
  await look(page, 'sign-in-passkey');
  await byPasskey();
  await expect(page.locator('.topbar')).toContainText('Passkey');
  await page.goto(`${place.url}/profile`);
  await expect(page.locator('.sessions > li').first()).toContainText('passkey');
});

test('a passkey is offered under the e-mail field, where the browser does that: nobody presses anything', async () => {
  const signedIn = page.waitForResponse((response) => response.url().endsWith('/v1/sign-in/passkey/finish'));
  await page.getByRole('button', { name: 'Sign out' }).click();
  expect((await signedIn).status()).toBe(200);
  await expect(page.getByRole('navigation', { name: 'Main' })).toBeVisible();
  await expect(page.locator('.topbar')).toContainText('Passkey');
  await page.goto(`${place.url}/profile`);
});

test('a passkey that does not know its user opens nothing, and the page says what to do next', async () => {
  // Before the browser asks under the field: what it asks then is answered by the finger of that moment.
  await passkeys.verify(false);
  await leave();
  await passkeys.touch(true);
  await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
  await expect(page.locator('#sign-in-fault')).toContainText('use password and code');
  await look(page, 'sign-in-no-passkey');
  await passkeys.verify(true);
  await byPasskey();
});

test('A08: on a page under another name a passkey opens nothing, and the page says what to do', async () => {
  const impostor = await new Impostor(place.url).start();
  const lured = await page.context().newPage();
  const keys = await Passkeys.on(lured);
  await lured.goto(`${impostor.url}/sign-in`);
  await lured.getByRole('button', { name: 'Sign in with a passkey' }).click();
  const fault = lured.locator('#sign-in-fault');
  await expect(fault).toContainText('The browser allows no passkey at this address');
  await expect(fault).toContainText('Open the console at the address that your administrator gave you.');
  await accessible(lured, 'impostor');
  await look(lured, 'impostor');
  // The real server gave its challenge, and got no answer to it.
  expect(impostor.passed).toContain('POST /v1/sign-in/passkey/start 200');
  expect(impostor.passed.filter((one) => one.includes('finish'))).toEqual([]);
  expect(await keys.count()).toBe(0);
  await expect(lured.getByRole('navigation', { name: 'Main' })).toHaveCount(0);
  await lured.close();
  await impostor.stop();
});

test('STEP-02: the panel takes a touch: new recovery codes for exactly this request', async () => {
  await page.goto(`${place.url}/profile`);
  await page.getByRole('button', { name: 'Make new codes' }).click();
  await accessible(page, 'authorize-passkey');
  await touch('passkey');
  await expect(page.getByRole('list', { name: 'Recovery codes' }).getByRole('listitem')).toHaveCount(10);
  owner.recoveryCodes = (await page.getByRole('list', { name: 'Recovery codes' }).getByRole('listitem').allInnerTexts()).map((one) => one.trim());
  await page.evaluate(() => (window.print = () => (document.body.dataset['printed'] = 'yes')));
  await page.getByRole('button', { name: 'Print' }).click();
  await expect(page.locator('body')).toHaveAttribute('data-printed', 'yes');
  await page.emulateMedia({ media: 'print' });
  await expect(page.getByText(`Sallyport recovery codes · ${OWNER.email}`)).toBeVisible();
  for (const code of owner.recoveryCodes) await expect(page.getByText(code, { exact: true })).toBeVisible();
  await expect(page.getByRole('navigation', { name: 'Main' })).toBeHidden();
  await page.emulateMedia({ media: null });
  const file = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Download' }).click();
  await file;
  await page.getByRole('checkbox', { name: /I have saved/ }).check();
  await page.getByRole('button', { name: 'Done' }).click();
});

test('a second authenticator is added by a touch, its picture read by another program', async () => {
  await page.getByRole('button', { name: 'App', exact: true }).click();
  await page.getByRole('dialog').getByLabel('Name').fill('Old phone');
  await page.getByRole('button', { name: 'Go on with your passkey' }).click();
  const picture = join(place.folder, 'second.png');
  await page.getByRole('img', { name: /QR code/ }).screenshot({ path: picture });
  await look(page, 'add-app');
  const uri = execFileSync('zbarimg', ['-q', '--raw', picture], { encoding: 'utf8' }).trim();
  const second = new Authenticator(new URL(uri).searchParams.get('secret') ?? '');
  await page.locator('#enrol-code').fill(await second.soon());
  await expect(factor('Old phone')).toBeVisible();
  await expect(page.locator('.factor')).toHaveCount(3);
});

test('factors are renamed and removed', async () => {
  await factor('Old phone').getByRole('button', { name: /^Actions/ }).click();
  await page.getByRole('menuitem', { name: 'Rename' }).click();
  await page.getByLabel('New name').fill('Spare phone');
  await page.keyboard.press('Enter');
  await expect(factor('Spare phone')).toBeVisible();
  await factor('Spare phone').getByRole('button', { name: /^Actions/ }).click();
  await page.getByRole('menuitem', { name: /^Remove/ }).click();
  await touch('remove-factor');
  await expect(page.locator('.factor')).toHaveCount(2);
});

/** A key is plugged in, once the phone's own passkey has proved whose it will be. */
async function addSecurityKey(phone: Page, own: Passkeys): Promise<void> {
  const plugged = await Passkeys.on(phone, { transport: 'usb' });
  await plugged.touch(false);
  await phone.route('**/v1/me/passkeys/start', async (route) => {
    await own.touch(false);
    await plugged.touch(true);
    await route.continue();
  });
  await phone.getByRole('button', { name: 'Passkey', exact: true }).click();
  await phone.getByLabel('Name').fill('Key ring');
  await phone.getByRole('button', { name: 'Go on with your passkey' }).click();
  await expect(phone.locator('.factor').filter({ hasText: 'Key ring' })).toContainText('on a security key, never copied');
}

test('WA-06: a passkey says whether its maker copies it, and says it anew once it was copied', async ({ browser }) => {
  for (const how of [{ syncable: true }, { backedUp: true }]) {
    const elsewhere = await browser.newContext();
    const phone = await elsewhere.newPage();
    const keys = await Passkeys.on(phone, how);
    await keys.touch(false);
    await phone.goto(`${place.url}/sign-in`);
    await signIn(phone, { code: await code() });
    await expect(phone).toHaveURL(/\/devices/);
    await keys.touch(true);
    await phone.goto(`${place.url}/profile`);
    await phone.getByRole('button', { name: 'Passkey', exact: true }).click();
    const name = how.backedUp ? 'Synced phone' : 'New phone';
    await phone.getByLabel('Name').fill(name);
    await phone.getByRole('dialog').getByLabel(/code/i).fill(await code());
    const own = phone.locator('.factor').filter({ hasText: name });
    await expect(own).toContainText(how.backedUp ? 'synced to your other devices by its maker' : 'may be synced by its maker, is not yet');
    await look(phone, how.backedUp ? 'passkey-synced' : 'passkey-syncable');
    if (how.syncable) {
      await keys.copies();
      await phone.getByRole('button', { name: 'Check that my factor works' }).click();
      await phone.getByRole('button', { name: 'Check with your passkey' }).click();
      await expect(phone.getByText('It works')).toBeVisible();
      await phone.reload();
      await expect(own).toContainText('synced to your other devices by its maker');
      await addSecurityKey(phone, keys);
    }
    // The laptop's own key is kept on one device, and the list tells them apart.
    await expect(phone.locator('.factor').filter({ hasText: 'Laptop' })).toContainText('on one device, never copied');
    await elsewhere.close();
    await page.reload();
    await factor(name).getByRole('button', { name: /^Actions/ }).click();
    await page.getByRole('menuitem', { name: /^Remove/ }).click();
    await touch('remove-synced');
    await expect(factor(name)).toHaveCount(0);
  }
});

test('PWD-17: the password changes with the old one and a touch, and the old one opens nothing', async () => {
  await page.getByRole('button', { name: 'Change password' }).click();
  await page.getByLabel('Password so far').fill(OWNER.password);
  await page.locator('#fresh-password').fill('too short');
  await expect(page.getByRole('button', { name: 'Change it with your passkey' })).toBeDisabled();
  await page.locator('#fresh-password').fill(NEW_PASSWORD);
  await accessible(page, 'password');
  await look(page, 'password');
  await page.getByRole('button', { name: 'Change it with your passkey' }).click();
  await expect(page.getByText('Password changed')).toBeVisible();
});

test('a check-up is due after 28 days without use; it shows that the factor works, and authorizes nothing', async () => {
  const due = page.getByRole('status').filter({ hasText: 'Do your factors still work?' });
  await expect(due).toHaveCount(0);
  factorAges(place, 'Laptop', 28);
  await page.goto(`${place.url}/devices`);
  await expect(due).toContainText('One of them was not used for 28 days.');
  await accessible(page, 'check-up-due');
  await due.getByRole('link', { name: 'Check it' }).click();
  await expect(page.getByRole('dialog', { name: 'Check your factor' })).toBeVisible();
  await accessible(page, 'check-up');
  await page.getByRole('button', { name: 'Check with your passkey' }).click();
  await expect(page.getByText('It works')).toBeVisible();
  await expect(due).toHaveCount(0);
});

test('networks: nobody locks themselves out, and the page says why no person is exempt', async () => {
  await page.goto(`${place.url}/security/networks`);
  await expect(page.getByText('A person cannot be exempted from the second factor.')).toBeVisible();
  for (const [name, href] of [['Make one', '/automation/clients?new=1'], ['Invite one', '/users?invite=1&as=support']] as const) {
    await expect(page.getByRole('link', { name })).toHaveAttribute('href', href);
  }
  await accessible(page, 'networks');
  await look(page, 'networks');
  const administration = page.getByRole('listitem').filter({ hasText: 'Administration' });
  await administration.getByRole('checkbox').check();
  await administration.getByRole('textbox').fill('203.0.113.0/24');
  await page.getByRole('button', { name: 'Change networks' }).click();
  await expect(page.getByText('locks_you_out')).toBeVisible();
  await look(page, 'networks-locked-out');
  await administration.getByRole('button', { name: /^Add yours/ }).click();
  await page.getByRole('button', { name: 'Change networks' }).click();
  await touch('networks');
  await expect(page.getByText('Networks changed')).toBeVisible();
  await page.reload();
  await expect(page.getByRole('listitem').filter({ hasText: 'Administration' }).getByRole('textbox')).toHaveValue(/203\.0\.113\.0\/24\s+127\.0\.0\.1/);
});

test('REC-04, REC-05: a recovery code sets up a new authenticator, brings one new code, and waits before it authorizes', async () => {
  await page.goto(`${place.url}/profile`);
  await leave(); // the laptop is out of reach from here on
  await signIn(page, { password: NEW_PASSWORD, recovery: owner.recoveryCodes[0] ?? '' });
  await expect(page.getByRole('heading', { name: 'You are in, restricted' })).toBeVisible();
  await accessible(page, 'restricted-enrol');
  await page.getByRole('button', { name: 'Set up a new authenticator' }).click();
  await page.getByRole('dialog').getByLabel('Name').fill('New phone');
  await page.getByRole('button', { name: 'Go on', exact: true }).click();
  const picture = join(place.folder, 'third.png');
  await page.getByRole('img', { name: /QR code/ }).screenshot({ path: picture });
  const uri = execFileSync('zbarimg', ['-q', '--raw', picture], { encoding: 'utf8' }).trim();
  const fresh = new Authenticator(new URL(uri).searchParams.get('secret') ?? '');
  await page.locator('#enrol-code').fill(await fresh.soon());
  await expect(page.getByRole('heading', { name: 'One more recovery code' })).toBeVisible();
  await expect(page.getByText('The 9 others still work.')).toBeVisible();
  await accessible(page, 'restricted-code');
  const [more] = await keepCodes(page, () => look(page, 'restricted-code'), 1);
  expect(owner.recoveryCodes).not.toContain(more);
  await expect(page.getByText('New phone is set up.')).toBeVisible();
  await look(page, 'restricted-enrolled');
  await page.getByRole('button', { name: /Sign out/ }).click();
  await signIn(page, { password: NEW_PASSWORD, code: await fresh.soon() });
  await expect(page.getByRole('navigation', { name: 'Main' })).toBeVisible();
  await page.goto(`${place.url}/profile`);
  await expect(factor('New phone')).toContainText(/Counts in/);
  await look(page, 'profile-after-recovery');
});

test('A35: not me ends every session at once and shows what was asked for', async () => {
  await page.getByRole('button', { name: 'Not me' }).click();
  await accessible(page, 'not-me');
  await keep(page, 'not-me');
  await look(page, 'not-me');
  await page.getByRole('button', { name: 'Stop everything' }).click();
  await expect(page.getByRole('heading', { name: 'Stopped' })).toBeVisible();
  await expect(page.getByRole('dialog')).toContainText('session');
  await look(page, 'not-me-done');
  await page.getByRole('button', { name: 'Sign in again' }).click();
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
  expect(faults).toEqual([]);
});
