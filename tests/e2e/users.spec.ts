import { type BrowserContext, expect, type Page, test } from '@playwright/test';
import type { Authenticator } from './support/authenticator.js';
import { Mailbox } from './support/mailbox.js';
import { faults, moveIn, owner, page, place } from './support/office.js';
import { activate, addPasskey, invite, signInAs, touch } from './support/people.js';
import { accessible, look, OWNER } from './support/steps.js';

/** The list of users, worked at: sorted, filtered, and several people at once, by mouse and by keys. */
const mailbox = new Mailbox();

test.beforeAll(() => mailbox.start());
moveIn(() => ({ env: mailbox.settings }));

// By name, by address and by role they stand in different orders.
const ADA = { name: 'Ada Lovelace', email: 'zoe@northwind.example', password: 'four quiet harbours under snow' };
const BRUNO = { name: 'Bruno Adler', email: 'bruno@northwind.example', password: 'five slow ferries in the fog' };
const CLEO = { name: 'Cleo Winter', email: 'adler@northwind.example' };
const ROLES = new Map([[ADA.name, 'Technician'], [BRUNO.name, 'Admin'], [CLEO.name, 'Auditor']]);

let contexts: BrowserContext[] = [];
let ada: Page;
let adas: Authenticator;
let brunos: Authenticator;
let second: Page;

test.beforeAll(async ({ browser }) => {
  await addPasskey(page, place, owner);
  for (const who of [ADA, BRUNO, CLEO]) {
    await invite(page, place, who, () => page.getByRole('combobox', { name: 'Role 1', exact: true }).selectOption({ label: ROLES.get(who.name) ?? '' }).then(() => undefined));
    await expect(row(who.name)).toContainText('Invited');
  }
  contexts = [await browser.newContext(), await browser.newContext()];
  ada = (await contexts[0]?.newPage()) as Page;
  second = (await contexts[1]?.newPage()) as Page;
  adas = await activate(ada, await mailbox.link(ADA.email, 'invitation'), ADA.password, true, place.folder);
  await page.goto(`${place.url}/users`);
  await expect(row(ADA.name)).toContainText('app');
});

test.afterAll(async () => {
  await Promise.all(contexts.map((context) => context.close()));
  await mailbox.stop();
});

const row = (name: string) => page.getByRole('row').filter({ hasText: name });
const menu = (label: string) => page.getByRole('menu', { name: `Actions for ${label}` });
const toolbar = () => page.getByRole('toolbar', { name: 'Selection' });
const box = (name: string) => page.getByRole('checkbox', { name: `Select ${name}`, exact: true });

/** The names from top to bottom. */
async function order(...names: string[]): Promise<void> {
  await expect(page.locator('tbody .table__name')).toHaveText(names);
}

async function by(column: string, direction: 'ascending' | 'descending', ...names: string[]): Promise<void> {
  const head = page.getByRole('columnheader', { name: column, exact: true });
  await head.getByRole('button').click();
  await expect(head).toHaveAttribute('aria-sort', direction);
  await order(...names);
}

test('every column that sorts does, there and back, and the address keeps the order', async () => {
  const [a, b, c, r] = [ADA.name, BRUNO.name, CLEO.name, OWNER.name];
  await order(a, b, c, r);
  await by('User', 'descending', r, c, b, a);
  await by('User', 'ascending', a, b, c, r);
  await by('E-mail', 'ascending', c, b, r, a);
  await by('E-mail', 'descending', a, r, b, c);
  await by('MFA', 'ascending', a, r, b, c);
  await by('MFA', 'descending', c, b, r, a);
  await by('Role', 'ascending', r, b, a, c);
  await look(page, 'users-sorted');
  await by('Role', 'descending', c, a, b, r);
  await by('Last seen', 'ascending', b, c, r, a);
  await by('Last seen', 'descending', a, r, c, b);
  await expect(page).toHaveURL(/sort=-last_sign_in/);
  await page.reload();
  await order(a, r, c, b);
  await expect(page.getByRole('columnheader', { name: 'Last seen' })).toHaveAttribute('aria-sort', 'descending');
  await expect(page.getByRole('columnheader', { name: 'Scope' }).getByRole('button')).toHaveCount(0);
  await accessible(page, 'users-sorted');
});

test('filters are words, tabs and chips; they add up, survive a reload, and are taken away one by one', async () => {
  await page.goto(`${place.url}/users`);
  await order(ADA.name, BRUNO.name, CLEO.name, OWNER.name);
  await page.keyboard.press('/');
  await page.keyboard.type('northwind winter');
  await order(CLEO.name);
  await expect(page.locator('.foot')).toContainText('1 user of 4 shown');
  await page.getByLabel('Filter users', { exact: true }).last().fill('');
  await page.getByRole('button', { name: 'Filter', exact: true }).click();
  await page.getByRole('menuitem', { name: 'invited' }).click();
  await order(BRUNO.name, CLEO.name);
  await page.getByRole('button', { name: 'Filter', exact: true }).click();
  await page.getByRole('menuitem', { name: 'Admin', exact: true }).click();
  await order(BRUNO.name);
  await look(page, 'users-filtered');
  await page.reload();
  await order(BRUNO.name);
  await page.getByRole('button', { name: 'Remove filter Role' }).click();
  await page.getByRole('button', { name: /^Without MFA/ }).click();
  await order(BRUNO.name, CLEO.name);
  await page.getByRole('button', { name: 'Remove filter Account' }).click();
  await page.getByRole('button', { name: 'All', exact: true }).click();
  await order(ADA.name, BRUNO.name, CLEO.name, OWNER.name);
});

test('an invitation is sent again from the menu: the mail has another link, and the former one is dead', async () => {
  const former = await mailbox.link(CLEO.email, 'invitation');
  await row(CLEO.name).getByText('Auditor').last().click({ button: 'right' });
  await menu(CLEO.name).getByRole('menuitem', { name: 'Send the invitation again' }).click();
  await expect(page.getByText(`The link is on its way to ${CLEO.email}`)).toBeVisible();
  const fresh = await mailbox.link(CLEO.email, 'invitation');
  expect(fresh).not.toBe(former);
  await second.goto(former);
  await expect(second.getByRole('heading', { name: 'This link does not work' })).toBeVisible();
  await second.goto(fresh);
  await expect(second.getByRole('button', { name: 'That is me, go on' })).toBeVisible();
});

test('by mouse: several are chosen, and the menu of one of them is the menu of all', async () => {
  await page.goto(`${place.url}/security/mfa`);
  await page.getByRole('radio', { name: /Owners and admins/ }).check();
  await page.getByRole('button', { name: 'Change policy' }).click();
  await touch(page, 'users-policy');
  await page.goto(`${place.url}/users`);
  await box(ADA.name).click();
  await box(CLEO.name).click({ modifiers: ['Shift'] });
  await expect(toolbar()).toContainText('3 selected');
  await row(BRUNO.name).getByText('Admin').last().click({ button: 'right' });
  const all = menu('3 users');
  await expect(all.getByRole('menuitem')).toContainText([/^ *Require MFA of 2/, /Stop requiring MFA *It is required of none/, /Reset factor *One person at a time/, /Send 2 links again/, /Change role *One person/, /End 1 session/, /Disable account/]);
  await expect(all).toContainText('One person at a time: each is called or met first');
  await accessible(page, 'users-menu-of-all');
  await look(page, 'users-menu-of-all');
  await all.getByRole('menuitem', { name: /^Require MFA/ }).click();
  await touch(page, 'require-of-two');
  await expect(page.getByText('MFA required of 2 users')).toBeVisible();
  await expect(toolbar()).toHaveCount(0);
  await expect(row(CLEO.name)).toContainText('Required, not activated');
  // A row that is not among the chosen has a menu of its own.
  await box(BRUNO.name).click();
  await box(CLEO.name).click();
  await row(ADA.name).getByText('Technician').last().click({ button: 'right' });
  await expect(menu(ADA.name)).toBeVisible();
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await expect(toolbar()).toHaveCount(0);
});

test('by keys alone: rows are chosen, and their menu is opened, moved through and used', async () => {
  await page.reload();
  await order(ADA.name, BRUNO.name, CLEO.name, OWNER.name);
  await page.locator('main').focus();
  for (const key of ['j', 'x', 'j', 'j', 'Shift+x', 'm']) await page.keyboard.press(key);
  const all = menu('3 users');
  await expect(all.getByRole('menuitem').first()).toBeFocused();
  await page.keyboard.press('ArrowDown');
  await expect(all.getByRole('menuitem', { name: /^Stop requiring MFA of 2/ })).toBeFocused();
  await look(page, 'users-menu-keys');
  await page.keyboard.press('Enter');
  await touch(page, 'stop-requiring-of-two');
  await expect(page.getByText('MFA no longer required of 2 users')).toBeVisible();
  await expect(row(CLEO.name)).toContainText('Off');
  await expect(toolbar()).toHaveCount(0);
});

test('links are sent again to everybody who waits for one, and each mailbox gets its own', async () => {
  await page.getByRole('checkbox', { name: 'Select all 4' }).check();
  await row(ADA.name).getByText('Technician').last().click({ button: 'right' });
  await menu('4 users').getByRole('menuitem', { name: 'Send 2 links again' }).click();
  await expect(page.getByText('Links are on their way to 2 users')).toBeVisible();
  const letters = (to: string) => mailbox.letters.filter((one) => one.to === to && /invites you/.test(one.subject)).length;
  await expect.poll(() => [BRUNO, CLEO, ADA].map((who) => letters(who.email))).toEqual([2, 3, 1]);
  const links = await Promise.all([BRUNO, CLEO].map((who) => mailbox.link(who.email, 'invitation')));
  expect(new Set(links).size).toBe(2);
  brunos = await activate(second, links[0] ?? '', BRUNO.password, true, place.folder);
  await expect(second).toHaveURL(/\/devices/);
  await page.reload();
  await expect(row(BRUNO.name)).toContainText('app');
});

test('SES-06: the sessions of several people are ended at once, and the one who does it goes on', async () => {
  await expect(ada.getByRole('navigation', { name: 'Main' })).toBeVisible();
  await page.getByRole('checkbox', { name: 'Select all 4' }).check();
  await row(ADA.name).getByText('Technician').last().click({ button: 'right' });
  await menu('4 users').getByRole('menuitem', { name: 'End 2 sessions' }).click();
  await expect(page.getByText('Sessions of 2 users ended')).toBeVisible();
  for (const on of [ada, second]) await expect(on.getByRole('dialog', { name: 'Your session ended' })).toBeVisible();
  await look(ada, 'session-ended-by-another');
  await page.reload();
  await order(ADA.name, BRUNO.name, CLEO.name, OWNER.name);
  await page.getByRole('button', { name: `Actions for ${ADA.name}` }).click();
  await expect(menu(ADA.name)).toContainText('Not signed in anywhere');
  await page.keyboard.press('Escape');
});

test('SES-06: one person’s sessions are ended from the menu of the row, by keys', async () => {
  await signInAs(ada, place, ADA, await adas.soon());
  await expect(ada).toHaveURL(/\/devices/);
  await page.reload();
  await order(ADA.name, BRUNO.name, CLEO.name, OWNER.name);
  await page.locator('main').focus();
  for (const key of ['j', 'm']) await page.keyboard.press(key);
  await expect(menu(ADA.name)).toBeVisible();
  await page.keyboard.press('e');
  await expect(menu(ADA.name).getByRole('menuitem', { name: 'End 1 session' })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(ada.getByRole('dialog', { name: 'Your session ended' })).toBeVisible();
  await expect(page.getByText(`Sessions of ${ADA.name} ended`)).toBeVisible();
});

test('several accounts are disabled and enabled by one proof each', async () => {
  await box(ADA.name).click();
  await box(BRUNO.name).click();
  await row(BRUNO.name).getByText('Admin').last().click({ button: 'right' });
  await menu('2 users').getByRole('menuitem', { name: 'Disable account' }).click();
  await touch(page, 'disable-two');
  for (const who of [ADA, BRUNO]) await expect(row(who.name)).toContainText('Disabled');
  await look(page, 'users-two-disabled');
  await signInAs(ada, place, ADA, await adas.soon());
  await expect(ada.locator('#sign-in-fault')).toContainText('sign_in_refused');
  await box(ADA.name).click();
  await box(BRUNO.name).click();
  await toolbar().getByRole('button', { name: /^Enable/ }).click();
  await touch(page, 'enable-two');
  for (const who of [ADA, BRUNO]) await expect(row(who.name)).not.toContainText('Disabled');
  await signInAs(ada, place, ADA, await adas.soon());
  await expect(ada).toHaveURL(/\/devices/);
});

test('REC-10: where no second person is there to agree, the reset of an admin waits a day, and its person stops it', async () => {
  await signInAs(second, place, BRUNO, await brunos.soon());
  await expect(second).toHaveURL(/\/devices/);
  await page.getByRole('button', { name: `Actions for ${BRUNO.name}` }).click();
  await menu(BRUNO.name).getByRole('menuitem', { name: /^Reset factor/ }).click();
  await page.getByRole('radio', { name: /Face to face/ }).check();
  await page.getByRole('dialog').getByRole('button', { name: 'Reset factor' }).click();
  await touch(page, 'reset-held');
  await expect(page.getByText(`The factors of ${BRUNO.name} go in 24 hours`)).toBeVisible();
  await page.getByRole('link', { name: BRUNO.name }).click();
  const waits = page.getByText('A reset of their factors waits.');
  await expect(waits).toBeVisible();
  await accessible(page, 'reset-waits');
  await second.reload();
  const banner = second.getByRole('status').filter({ hasText: `${OWNER.name} asked to take your factors away` });
  await expect(banner).toContainText(/in (23 h|24 h|1 d)/);
  await accessible(second, 'reset-banner');
  await look(second, 'reset-banner');
  await banner.getByRole('button', { name: 'Not agreed: stop it' }).click();
  await banner.getByRole('button', { name: 'Stop the reset?' }).click();
  await expect(second.getByText('The reset is stopped: your factors stay')).toBeVisible();
  await expect(banner).toHaveCount(0);
  await page.reload();
  await expect(page.getByText('MFA active')).toBeVisible();
  await expect(waits).toHaveCount(0);
  expect(faults).toEqual([]);
});
