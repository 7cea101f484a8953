import { fileURLToPath } from 'node:url';
import { type BrowserContext, expect, type Page, test } from '@playwright/test';
import { Installation } from './support/installation.js';
import { Mailbox } from './support/mailbox.js';
import { activate, invite, ownerOf, signInAs, touch } from './support/people.js';
import { keep, seen } from './support/pictures.js';
import { accessible, OWNER, type Owner } from './support/steps.js';

/** Browsers that move between addresses: a listed proxy, which is this test, says where each request comes from. */
test.describe.configure({ mode: 'serial' });

const TOWNS = fileURLToPath(new URL('../it/fixtures/places/towns.mmdb', import.meta.url));
const OFFICE = '192.0.2.7'; // in Porto, says that file
const NEXT_DESK = '192.0.2.99';
const AWAY = '203.0.113.40';
const TARA = { name: 'Tara Lind', email: 'tara@northwind.example', password: 'eight copper kettles sing low' };
const at = (address: string) => ({ extraHTTPHeaders: { 'x-forwarded-for': address } });

let mailbox: Mailbox;
let place: Installation;
let context: BrowserContext;
let page: Page;
let owner: Owner;
let faults: string[];

test.beforeAll(async ({ browser }) => {
  mailbox = await new Mailbox().start();
  place = await new Installation().start({ env: { ...mailbox.settings, SALLYPORT_TRUSTED_PROXIES: '127.0.0.1', SALLYPORT_PLACE_DATABASE: TOWNS } });
  ({ context, page, owner, faults } = await ownerOf(place, browser, at(OFFICE)));
});

test.afterAll(async () => {
  await context.close();
  await place.stop();
  await mailbox.stop();
});

const move = (to: string) => context.setExtraHTTPHeaders(at(to).extraHTTPHeaders);
const changed = () => expect(page.getByText('Networks changed')).toBeVisible();

test('A09: a session that is used in two networks at once says so where its person looks', async () => {
  for (const address of [AWAY, OFFICE]) {
    await move(address);
    // Not before something was asked for from there.
    const asked = page.waitForResponse((response) => new URL(response.url()).pathname === '/v1/me/sessions' && response.ok());
    await page.goto(`${place.url}/profile`);
    await asked;
  }
  await page.reload();
  await expect(page.locator('.sessions > li').first()).toContainText('From two networks at once');
  await expect(page.locator('.sessions > li').first()).toContainText('Porto, Portugal');
  await accessible(page, 'two-networks');
});

test('NET-06: a sign-in from a new address waits for a mailed link, which acts by a button', async ({ browser }) => {
  await page.goto(`${place.url}/security/networks`);
  await expect(page.locator('.head')).toContainText(OFFICE);
  await page.getByRole('radio', { name: /mailed link/ }).check();
  await page.getByRole('button', { name: 'Change networks' }).click();
  await touch(page, 'verification');
  await changed();
  const desk = await browser.newContext(at(NEXT_DESK));
  const other = await desk.newPage();
  const signIn = async () => signInAs(other, place, OWNER, await owner.authenticator.soon());
  await signIn();
  await expect(other.locator('main')).toContainText(/mail/i);
  await expect(other.getByRole('navigation', { name: 'Main' })).toHaveCount(0);
  const letter = await desk.newPage();
  await letter.goto(await mailbox.link(OWNER.email, 'address'));
  await expect(letter.getByRole('heading', { name: 'Was this you?' })).toBeVisible();
  await expect(letter.locator('main')).toContainText(NEXT_DESK);
  expect(await seen(letter, 'new-address')).toEqual([]);
  await keep(letter, 'new-address');
  await letter.getByRole('button', { name: 'Yes, let this browser in' }).click();
  await expect(letter.getByRole('heading', { name: 'Approved' })).toBeVisible();
  await signIn();
  await expect(other.getByRole('navigation', { name: 'Main' })).toBeVisible();
  await page.goto(`${place.url}/profile`);
  const approved = page.getByRole('region', { name: 'Approved addresses' }).getByRole('listitem');
  await expect(approved.filter({ hasText: NEXT_DESK })).toContainText(/Chromium on Linux · approved/);
  await approved.filter({ hasText: NEXT_DESK }).getByRole('button', { name: 'Forget' }).click();
  await approved.getByRole('button', { name: 'Forget it?' }).click();
  await expect(page.getByText(`${NEXT_DESK} is no longer approved`)).toBeVisible();
  await expect(approved.filter({ hasText: NEXT_DESK })).toHaveCount(0);
  await desk.close();
});

test('NET-05: who leaves the allowed networks proves a factor again, in place, and only inside', async () => {
  await page.goto(`${place.url}/security/networks`);
  const signing = page.getByRole('listitem').filter({ hasText: 'Signing in' });
  await signing.getByRole('checkbox').check();
  await signing.getByRole('textbox').fill('192.0.2.0/24');
  await page.getByRole('button', { name: 'Change networks' }).click();
  await touch(page, 'required');
  await changed();
  await page.goto(`${place.url}/scripts/new`);
  await page.locator('#script-name').fill('half-written');
  await move(AWAY);
  const challenge = page.getByRole('dialog', { name: 'Your address changed' });
  // The page asks in the background too, and may have been challenged before anybody presses anything.
  if (!(await challenge.isVisible())) await page.getByRole('button', { name: 'Save', exact: true }).dispatchEvent('click');
  await expect(challenge).toBeVisible();
  expect(await seen(page, 'address-left')).toEqual([]);
  await keep(page, 'address-left');
  await challenge.getByRole('button', { name: 'Go on with your passkey' }).click();
  await expect(challenge).toContainText('network_refused');
  await move(OFFICE);
  await challenge.getByRole('button', { name: 'Go on with your passkey' }).click();
  await expect(challenge).toHaveCount(0);
  await expect(page.locator('#script-name')).toHaveValue('half-written');
});

test('NET-04: from a trusted network a technician reads by password alone, and acts by a factor', async ({ browser }) => {
  await page.goto(`${place.url}/security/networks`);
  await page.getByRole('region', { name: 'Trusted networks' }).getByRole('button', { name: 'Add', exact: true }).click();
  await page.getByLabel('Name', { exact: true }).fill('Office');
  await page.getByLabel(/^Ranges/).fill('192.0.2.0/24');
  await page.getByRole('button', { name: 'Change networks' }).click();
  await touch(page, 'trusted');
  await changed();
  await invite(page, place, TARA);
  const desk = await browser.newContext(at(OFFICE));
  const hers = await desk.newPage();
  const authenticator = await activate(hers, await mailbox.link(TARA.email, 'invitation'), TARA.password, true, place.folder);
  await expect(hers).toHaveURL(/\/devices/);
  await hers.getByRole('button', { name: TARA.name }).click();
  await hers.getByRole('menuitem', { name: 'Sign out' }).click();
  await expect(hers.getByRole('heading', { name: 'Sign in' })).toBeVisible();
  await signInAs(hers, place, TARA);
  await expect(hers.getByText('You are reading.')).toBeVisible();
  await expect(hers).toHaveURL(/\/devices/);
  await accessible(hers, 'reading');
  await hers.getByRole('button', { name: 'Prove it' }).click();
  const proof = hers.getByRole('dialog', { name: 'Prove your factor to act' });
  await expect(proof).toContainText('signed in from a trusted network');
  await proof.getByLabel(/code/i).fill(await authenticator.soon());
  await expect(hers.getByText('You are reading.')).toHaveCount(0);
  await desk.close();
  expect(faults).toEqual([]);
});
