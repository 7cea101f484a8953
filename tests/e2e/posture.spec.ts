import { type BrowserContext, expect, type Page, test } from '@playwright/test';
import { Installation } from './support/installation.js';
import { Mailbox } from './support/mailbox.js';
import { Passkeys } from './support/passkeys.js';
import { accessible, look, type Owner, setUp, watch } from './support/steps.js';

/** One installation with a mail server; each test goes on where the one before left it. */
test.describe.configure({ mode: 'serial' });

const TARA = { name: 'Tara Lind', email: 'tara@northwind.example' };
let mailbox: Mailbox;
let place: Installation;
let context: BrowserContext;
let page: Page;
let owner: Owner;
let faults: string[];

test.beforeAll(async ({ browser }) => {
  mailbox = await new Mailbox().start();
  place = await new Installation().start({ env: mailbox.settings });
  context = await browser.newContext();
  page = await context.newPage();
  faults = watch(page);
  owner = await setUp(page, place);
});

test.afterAll(async () => {
  await context.close();
  await place.stop();
  await mailbox.stop();
});

const rule = (id: string) => page.getByRole('listitem').filter({ hasText: id });
const finding = (title: string) => page.getByRole('heading', { level: 3, name: title });

test('posture says what to mend first, why, and where', async () => {
  await page.goto(`${place.url}/security/posture`);
  await expect(finding('One owner')).toBeVisible();
  await expect(finding('Nobody who administers has a passkey')).toBeVisible();
  await expect(rule('P-20')).toContainText('There is no backup');
  await expect(rule('P-10')).toContainText('never on this server');
  await page.getByText('Hold', { exact: true }).last().click();
  await expect(rule('P-23')).toContainText('1 live session');
  await accessible(page, 'posture');
  await look(page, 'posture');
  await rule('P-04').getByRole('link', { name: 'Add a passkey to your account' }).click();
  await expect(page).toHaveURL(/\/profile$/);
});

test('what is mended holds', async () => {
  await Passkeys.on(page);
  await page.getByRole('button', { name: 'Passkey', exact: true }).click();
  await page.getByRole('dialog').getByLabel(/code/i).fill(await owner.authenticator.soon());
  await expect(page.locator('.factor')).toHaveCount(2);
  await page.goto(`${place.url}/security/posture`);
  await expect(finding('One owner')).toBeVisible();
  await expect(finding('Nobody who administers has a passkey')).toHaveCount(0);
});

test('what if: the rules that decide for real answer, and the one that decides is marked', async () => {
  const form = page.getByRole('complementary', { name: 'What if' });
  await form.getByLabel('From this address').fill('203.0.113.40');
  await form.getByLabel('Wants to').selectOption('change_networks');
  await form.getByRole('button', { name: 'What happens?' }).click();
  await expect(form.getByText('it waits for a fresh proof of theirs')).toBeVisible();
  await expect(form.locator('[data-decides]')).toContainText('A-05');
  await accessible(page, 'what-if');
  await look(page, 'what-if');
  await form.getByLabel('With', { exact: true }).selectOption('password');
  await expect(form.locator('[data-decides]')).toHaveCount(0); // an answer goes with its question
  await form.getByRole('button', { name: 'What happens?' }).click();
  await expect(form.locator('[data-decides]')).toContainText('S-02');
  await expect(form.getByText('sign_in_refused')).toBeVisible();
});

test('NET-06 the verification of addresses is paused for a person, and posture says so', async () => {
  await page.goto(`${place.url}/users`);
  await page.getByRole('link', { name: 'Robin Owner' }).click();
  const card = page.getByRole('region', { name: 'New addresses' });
  await card.getByLabel('Pause for').selectOption({ label: '7 days' });
  await card.getByRole('button', { name: 'Pause verification' }).click();
  await expect(card.getByText('Verification paused')).toBeVisible();
  await accessible(page, 'person-paused');
  await look(page, 'person-paused');
  await page.goto(`${place.url}/security/posture`);
  await expect(finding('Verification of addresses is paused for Robin Owner')).toBeVisible();
  await rule('P-17').getByRole('link', { name: 'Robin Owner' }).click();
  await card.getByRole('button', { name: 'Verify again now' }).click();
  await expect(card.getByRole('button', { name: 'Pause verification' })).toBeVisible();
  await page.goto(`${place.url}/audit`);
  await expect(page.getByText(/paused the verification/).first()).toBeVisible();
});

test('mails are listed with what became of them', async () => {
  await page.goto(`${place.url}/users?invite=1`);
  await page.locator('#invite-name').fill(TARA.name);
  await page.locator('#invite-email').fill(TARA.email);
  await page.getByRole('dialog').getByRole('button', { name: 'Invite', exact: true }).click();
  await page.getByRole('dialog', { name: 'Authorize' }).getByRole('button', { name: 'Authorize with your passkey' }).click();
  await page.locator('[data-receipt-next]').click();
  await mailbox.letter(TARA.email, /invites you/);
  await page.goto(`${place.url}/security/mails`);
  const mail = page.getByRole('row').filter({ hasText: TARA.email });
  await expect(async () => {
    await page.getByRole('button', { name: 'Refresh' }).click();
    await expect(mail).toContainText('Sent', { timeout: 1000 });
  }).toPass();
  await expect(mail).toContainText('invites you to Northwind IT');
  await accessible(page, 'mails');
  await look(page, 'mails');
  expect(faults).toEqual([]);
});
