import { expect, test } from '@playwright/test';
import { Mailbox } from './support/mailbox.js';
import { faults, moveIn, owner, page, place } from './support/office.js';
import { Passkeys } from './support/passkeys.js';
import { keep, seen, THOROUGH } from './support/pictures.js';
import { accessible, look, OWNER } from './support/steps.js';

/** Names are as long as people are called. */
const LONG = { name: 'Wolfeschlegelsteinhausenbergerdorff-Papadopoulos, Maximiliane Konstantina', email: 'maximiliane.wolfeschlegelsteinhausenbergerdorff@service-desk.northwind.example' };
const TARA = { name: 'Tara Lind', email: 'tara@northwind.example' };
let mailbox: Mailbox;

test.beforeAll(async () => {
  mailbox = await new Mailbox().start();
});

/** One installation with a mail server. */
moveIn(() => ({ env: mailbox.settings }));

test.afterAll(async () => {
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

test('what is found is accepted with a reason until a day, and brought back', async () => {
  await page.goto(`${place.url}/security/posture`);
  await rule('P-16').getByRole('button', { name: /^Accept P-16/ }).click();
  const dialog = page.getByRole('dialog', { name: 'Accept P-16' });
  await expect(dialog).toContainText('New addresses are not verified');
  await dialog.getByLabel('Accepted, because').fill('Everybody travels until spring');
  await dialog.getByRole('button', { name: '90 days' }).click();
  expect(await seen(page, 'posture-accept')).toEqual([]);
  await keep(page, 'posture-accept');
  await dialog.getByRole('button', { name: 'Accept', exact: true }).click();
  await expect(dialog).toHaveCount(0);
  await expect(rule('P-16')).toContainText('Everybody travels until spring');
  await expect(rule('P-16')).toContainText(OWNER.name);
  await rule('P-16').scrollIntoViewIfNeeded();
  await accessible(page, 'posture-accepted');
  await look(page, 'posture-accepted');
  await page.reload();
  await rule('P-16').getByRole('button', { name: 'Bring back' }).click();
  await expect(rule('P-16').getByRole('button', { name: /^Accept P-16/ })).toBeVisible();
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

/** Invites somebody, proved with one touch. */
async function invite(who: { name: string; email: string }, role?: string): Promise<void> {
  await page.goto(`${place.url}/users?invite=1`);
  await page.locator('#invite-name').fill(who.name);
  await page.locator('#invite-email').fill(who.email);
  if (role) await page.getByRole('dialog').getByLabel('Role', { exact: true }).first().selectOption({ label: role });
  await page.getByRole('dialog').getByRole('button', { name: 'Invite', exact: true }).click();
  await page.getByRole('dialog', { name: 'Authorize' }).getByRole('button', { name: 'Authorize with your passkey' }).click();
  await page.locator('[data-receipt-next]').click();
}

test('mails are listed with what became of them', async () => {
  await invite(TARA);
  await mailbox.letter(TARA.email, /invites you/);
  await page.goto(`${place.url}/security/mails`);
  const mail = page.getByRole('row').filter({ hasText: TARA.email });
  await expect(async () => {
    await page.getByRole('button', { name: 'Refresh' }).click();
    await expect(mail).toContainText('Sent', { timeout: 1000 });
  }).toPass();
  await expect(mail).toContainText('invites you to Northwind IT');

  // Whether mail is set up stands elsewhere: the list is there without it, and says what is missing.
  await page.route('**/v1/policy', (route) => route.fulfill({ status: 503, contentType: 'application/problem+json', body: JSON.stringify({ title: 'The database rests', detail: 'Try again in a minute.', code: 'store_busy', status: 503 }) }));
  await page.reload();
  await expect(mail).toContainText('Sent');
  await expect(page.getByRole('alert')).toContainText(/The database rests.*Try again in a minute.*store_busy/);
  await accessible(page, 'mails-without-policy');
  await page.unroute('**/v1/policy');
  await page.getByRole('alert').getByRole('button', { name: 'Try again' }).click();
  await expect(page.getByRole('alert')).toHaveCount(0);
  await expect(mail).toContainText('Sent');
});

test('people and security in both themes, on a screen and on a phone', async ({ browser }) => {
  test.setTimeout(THOROUGH ? 500_000 : 240_000);
  await invite(LONG);
  await page.goto(`${place.url}/users`);
  const person = (await page.getByRole('link', { name: LONG.name }).getAttribute('href')) ?? '';
  const pages: Record<string, string> = {
    posture: '/security/posture',
    mfa: '/security/mfa',
    networks: '/security/networks',
    limits: '/security/sessions',
    mails: '/security/mails',
    users: '/users',
    person,
    roles: '/roles',
    profile: '/profile',
    sessions: '/sessions',
  };
  const found: string[] = [];
  for (const [name, path] of Object.entries(pages)) {
    await page.goto(place.url + path);
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
    await expect(page.locator('.bone')).toHaveCount(0);
    if (name === 'posture') {
      await page.getByRole('button', { name: 'What happens?' }).click();
      await expect(page.getByRole('region', { name: 'Answer' })).toContainText(/\S/);
    }
    found.push(...(await seen(page, name)));
    if (name !== 'sessions') await keep(page, name);
  }
  const stranger = await browser.newContext();
  const door = await stranger.newPage();
  await door.goto(place.url);
  await expect(door.locator('#email')).toBeVisible();
  found.push(...(await seen(door, 'sign-in')));
  await keep(door, 'sign-in');
  await stranger.close();
  expect(found).toEqual([]);
  expect(faults).toEqual([]);
});
