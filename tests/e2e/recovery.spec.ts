import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { Authenticator } from './support/authenticator.js';
import { faults, moveIn, owner, page, place } from './support/office.js';
import { keep, seen } from './support/pictures.js';
import { accessible, OWNER, signIn } from './support/steps.js';

/** The only owner has lost phone and codes. What is left is the password, and the kit that the set-up saved. */
moveIn();

let sent: string[];
let phone: Authenticator;

test.beforeAll(async () => {
  sent = [];
  page.on('request', (request) => sent.push(`${request.url()} ${request.postData() ?? ''}`));
});

const fault = () => page.getByRole('alert');

test('REC-06: from the sign-in page to the kit, and what is no kit says so', async () => {
  await page.goto(`${place.url}/profile`);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('button', { name: 'I cannot sign in' }).click();
  await page.getByRole('link', { name: 'recover with the authority kit' }).click();
  await expect(page.getByRole('heading', { name: 'Recover with the authority kit' })).toBeVisible();
  expect(await seen(page, 'recover')).toEqual([]);
  await keep(page, 'recover');
  await page.getByLabel('E-mail').fill(OWNER.email);
  await page.getByLabel('Password').fill('something else entirely, sorry');
  const codes = join(place.folder, 'codes.txt');
  writeFileSync(codes, owner.recoveryCodes.join('\n'));
  await page.getByLabel('Authority kit').setInputFiles(codes);
  await expect(fault()).toContainText('sallyport-authority-');
  await expect(page.getByRole('button', { name: 'Sign with the kit' })).toBeDisabled();

  // A file that takes long to read, and another one that is chosen meanwhile: the later choice stands.
  await page.evaluate(() => {
    const { text } = Blob.prototype;
    Blob.prototype.text = function () {
      Blob.prototype.text = text;
      return new Promise((read) => ((window as { readOn?: () => void }).readOn = () => void text.call(this).then(read)));
    };
  });
  const another = join(place.folder, 'another.txt');
  writeFileSync(another, 'neither is this');
  await page.getByLabel('Authority kit').setInputFiles(another);
  await page.getByLabel('Authority kit').setInputFiles(owner.kit);
  await expect(page.getByText(place.url, { exact: true })).toBeVisible();
  await page.evaluate(async () => {
    (window as { readOn?: () => void }).readOn?.();
    for (let frame = 0; frame < 30; frame++) await new Promise(requestAnimationFrame);
  });
  await expect(fault()).toHaveCount(0);
  await expect(page.getByText(place.url, { exact: true })).toBeVisible();
  await page.getByRole('button', { name: 'Sign with the kit' }).click();
  await expect(fault()).toContainText('sign_in_refused');
});

test('REC-06: a kit that was made elsewhere is not signed with before its owner says so', async () => {
  const elsewhere = join(place.folder, 'elsewhere.json');
  const kit = JSON.parse(readFileSync(owner.kit, 'utf8')) as Record<string, string>;
  writeFileSync(elsewhere, JSON.stringify({ ...kit, server: 'https://rmm.elsewhere.example' }));
  await page.getByRole('button', { name: 'Another kit' }).click();
  await page.getByLabel('Authority kit').setInputFiles(elsewhere);
  await expect(page.getByText('This kit was made at another address.')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Sign with the kit' })).toBeDisabled();
  await accessible(page, 'recover-elsewhere');
});

test('REC-09: password and kit open a session that sets up a factor and nothing else, and the kit stays here', async () => {
  await page.getByRole('button', { name: 'Another kit' }).click();
  await page.getByLabel('Authority kit').setInputFiles(owner.kit);
  await page.getByLabel('Password').fill(OWNER.password);
  await page.getByRole('button', { name: 'Sign with the kit' }).click();
  await expect(page.getByRole('heading', { name: 'You are in, restricted' })).toBeVisible();
  await expect(page.getByText('This session came from the authority kit.')).toBeVisible();
  expect(await seen(page, 'recover-restricted')).toEqual([]);
  const kit = JSON.parse(readFileSync(owner.kit, 'utf8')) as Record<string, string>;
  expect(sent.filter((one) => one.includes(kit['private_key_pkcs8'] ?? '-'))).toEqual([]);
  expect(sent.some((one) => one.includes('/v1/sign-in/kit/finish'))).toBe(true);
  await page.goto(`${place.url}/devices`);
  await expect(page.getByRole('heading', { name: 'You are in, restricted' })).toBeVisible();
  await page.getByRole('button', { name: 'Set up a new authenticator' }).click();
  await page.getByRole('dialog').getByLabel('Name').fill('New phone');
  await page.getByRole('button', { name: 'Go on', exact: true }).click();
  phone = new Authenticator((await page.locator('.secret').innerText()).replaceAll(' ', ''));
  await page.locator('#enrol-code').fill(await phone.soon());
  await expect(page.getByText('New phone is set up.')).toBeVisible();
  await expect(page.getByText('put the kit back where it was')).toBeVisible();
});

test('REC-09: the new factor signs in, and authorizes nothing for a day', async () => {
  await page.getByRole('button', { name: /Sign out/ }).click();
  await signIn(page, { code: await phone.soon() });
  await expect(page.getByRole('navigation', { name: 'Main' })).toBeVisible();
  await page.goto(`${place.url}/profile`);
  await expect(page.locator('.factor').filter({ hasText: 'New phone' })).toContainText(/Counts in/);
  await page.goto(`${place.url}/audit`);
  await expect(page.getByText('signed in with the authority kit')).toBeVisible();
  expect(faults).toEqual([]);
});
