import { type BrowserContext, expect, type Page, test } from '@playwright/test';
import type { Authenticator } from './support/authenticator.js';
import { Installation } from './support/installation.js';
import { Mailbox } from './support/mailbox.js';
import { faults, moveIn, owner, page, place } from './support/office.js';
import { activate, addPasskey, copied, invite, ownerOf, signInAs, touch } from './support/people.js';
import { keep } from './support/pictures.js';
import { accessible, look } from './support/steps.js';

/** One installation, without a mail server at first. */
moveIn();

const ADA = { name: 'Ada Lovelace', email: 'ada@northwind.example', password: 'four quiet harbours under snow' };
let ada: { context: BrowserContext; page: Page; authenticator: Authenticator };
let links: string[] = [];

test.beforeAll(() => addPasskey(page, place, owner));

test.afterAll(() => ada?.context.close());

const row = (name: string) => page.getByRole('row').filter({ hasText: name });

test('the list begins with its owner: MFA in words, shape and colour', async () => {
  await page.goto(`${place.url}/users`);
  await expect(row('Robin Owner')).toContainText('Active');
  await expect(row('Robin Owner')).toContainText('passkey, app');
  await accessible(page, 'users-first');
  await page.getByRole('button', { name: /^Without MFA/ }).click();
  await expect(page.getByText('Nobody is without a factor here')).toBeVisible();
});

test('without a mail server an invitation is a link, shown once to whoever invites', async ({ browser }) => {
  await invite(page, place, ADA, async () => {
    await expect(page.getByRole('dialog')).toContainText('you get a link to hand over yourself');
    await accessible(page, 'invite');
    await look(page, 'invite');
  });
  links = [await copied(page)];
  await expect(row(ADA.name)).toContainText('Invited');
  ada = { context: await browser.newContext(), page: undefined as never, authenticator: undefined as never };
  ada.page = await ada.context.newPage();
  ada.authenticator = await activate(ada.page, links[0] ?? '', ADA.password, true, place.folder);
  await expect(ada.page).toHaveURL(/\/devices/);
  await page.reload();
  await expect(row(ADA.name)).toContainText('Active');
});

test('the link worked once', async ({ browser }) => {
  const stranger = await browser.newContext();
  const late = await stranger.newPage();
  await late.goto(links[0] ?? '');
  await expect(late.getByRole('heading', { name: 'This link does not work' })).toBeVisible();
  await accessible(late, 'dead-link');
  await stranger.close();
});

test('AZ-01: a technician finds no list of people, and gets none by its address', async () => {
  await expect(ada.page.getByRole('navigation', { name: 'Main' }).getByText('People')).toHaveCount(0);
  await ada.page.goto(`${place.url}/users`);
  await expect(ada.page.getByRole('alert').first()).toBeVisible();
});

test('an external support account wants an end', async () => {
  await page.goto(`${place.url}/users?invite=1&as=support`);
  await page.locator('#invite-name').fill('Vendor ERP');
  await page.locator('#invite-email').fill('erp@vendor.example');
  const send = page.getByRole('dialog').getByRole('button', { name: 'Invite', exact: true });
  await expect(send).toBeDisabled();
  await expect(page.getByRole('dialog')).toContainText('must have an end');
  await page.getByRole('button', { name: '7 days' }).click();
  await send.click();
  await touch(page, 'invite-support');
  await copied(page);
  await expect(row('Vendor ERP')).toContainText('External support');
  await expect(row('Vendor ERP')).toContainText('Required, not activated');
});

test('by keys alone: the row\'s menu, where an entry that is disabled says why', async () => {
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await page.locator('main').focus();
  await page.keyboard.press('j');
  await page.keyboard.press('m');
  const menu = page.getByRole('menu', { name: `Actions for ${ADA.name}` });
  await expect(menu).toBeVisible();
  await expect(menu.getByRole('menuitem').first()).toBeFocused();
  await expect(menu.getByRole('menuitem', { name: /requiring MFA/ })).toHaveAttribute('aria-disabled', 'true');
  await expect(menu).toContainText('Required of everybody by the tenant’s policy');
  await accessible(page, 'users-menu');
  await keep(page, 'users-menu');
  await look(page, 'users-menu');
  await page.keyboard.press('Escape');
  await expect(menu).toHaveCount(0);
});

test('the policy changes through the panel, and what needs mail says so', async () => {
  await page.goto(`${place.url}/security/mfa`);
  await expect(page.getByRole('radio', { name: /They may read/ })).toBeDisabled();
  await expect(page.getByText('Needs a mail server')).toBeVisible();
  await page.getByRole('radio', { name: /Owners and admins/ }).check();
  await accessible(page, 'mfa-policy');
  await look(page, 'mfa-policy');
  await page.getByRole('button', { name: 'Change policy' }).click();
  await touch(page, 'mfa-policy');
  await expect(page.getByText('MFA policy changed')).toBeVisible();
  await page.goto(`${place.url}/users`);
  await expect(page.getByRole('search')).toContainText('MFA is required of owners and admins');
  await expect(row('Vendor ERP')).toContainText('Off');
});

test('by mouse: require MFA of one person, from the context menu', async () => {
  await row('Vendor ERP').getByText('External support').last().click({ button: 'right' });
  await page.getByRole('menuitem', { name: /^Require MFA/ }).click();
  await touch(page, 'require-mfa');
  await expect(row('Vendor ERP')).toContainText('Required, not activated');
  await page.getByRole('button', { name: /^Required/ }).click();
  await expect(page.getByRole('row')).toHaveCount(2);
  await page.getByRole('checkbox', { name: 'Select Vendor ERP' }).check();
  await look(page, 'users-bulk');
  await page.getByRole('toolbar', { name: 'Selection' }).getByRole('button', { name: /^Stop requiring MFA/ }).click();
  await touch(page, 'stop-requiring');
  await page.getByRole('button', { name: 'All', exact: true }).click();
  await expect(row('Vendor ERP')).toContainText('Off');
});

test('A12: a lost phone: the reset asks how it was made sure, ends the sessions, and leads to a new link', async () => {
  await page.getByRole('link', { name: ADA.name }).click();
  await expect(page.getByRole('heading', { name: 'Sessions' })).toBeVisible();
  const second = page.getByRole('region', { name: 'Second factor' });
  await expect(second).toContainText('Tenant-wide: MFA is required of owners and admins.');
  await expect(second).toContainText(/Required\s*no/);
  await accessible(page, 'person');
  await look(page, 'person');
  await page.getByRole('link', { name: 'All in the log' }).click();
  await expect(page.getByRole('search', { name: 'Filter entries' })).toContainText(`By ${ADA.name}`);
  const theirs = page.locator('.entry');
  await expect(theirs.filter({ hasText: `${ADA.name} signed in` })).not.toHaveCount(0);
  await expect(theirs.filter({ hasNotText: ADA.name })).toHaveCount(0);
  await page.goBack();
  await page.getByRole('button', { name: `Actions for ${ADA.name}` }).click();
  await page.getByRole('menuitem', { name: /^Reset factor/ }).click();
  const reset = page.getByRole('dialog').getByRole('button', { name: 'Reset factor' });
  await expect(reset).toBeDisabled();
  await page.getByRole('radio', { name: /calling them back/ }).check();
  await accessible(page, 'reset');
  await keep(page, 'reset');
  await look(page, 'reset');
  await reset.click();
  await touch(page, 'reset-factor');
  links.push(await copied(page));
  await expect(ada.page.getByRole('dialog', { name: 'Your session ended' })).toBeVisible();
});

test('the link of the reset sets up a new phone in a few minutes', async () => {
  ada.authenticator = await activate(ada.page, links[1] ?? '', ADA.password, false, place.folder);
  await expect(ada.page.getByText('You are reading.')).toHaveCount(0);
  await page.reload();
  await expect(page.getByText('MFA active')).toBeVisible();
});

test('disabled is out at once and cannot come back; enabled can', async () => {
  await page.goto(`${place.url}/users`);
  await page.getByRole('button', { name: `Actions for ${ADA.name}` }).click();
  await page.getByRole('menuitem', { name: /^Disable account/ }).click();
  await touch(page, 'disable');
  await expect(row(ADA.name)).toContainText('Disabled');
  await expect(ada.page.getByRole('dialog', { name: 'Your session ended' })).toBeVisible();
  await signInAs(ada.page, place, ADA, await ada.authenticator.soon());
  await expect(ada.page.locator('#sign-in-fault')).toContainText('sign_in_refused');
  await page.getByRole('button', { name: `Actions for ${ADA.name}` }).click();
  await page.getByRole('menuitem', { name: /^Enable account/ }).click();
  await touch(page, 'enable');
  await signInAs(ada.page, place, ADA, await ada.authenticator.soon());
  await expect(ada.page).toHaveURL(/\/devices/);
});

test('a role of one\'s own, from the printed list, given in the dialog', async () => {
  await page.goto(`${place.url}/roles`);
  await accessible(page, 'roles');
  await page.getByRole('button', { name: 'New role' }).click();
  await page.getByLabel('Name', { exact: true }).fill('Night shift');
  await page.getByRole('checkbox', { name: /devices\.read/ }).check();
  await page.getByRole('checkbox', { name: /jobs\.read/ }).check();
  await accessible(page, 'role');
  await look(page, 'role');
  await page.getByRole('button', { name: 'Make role' }).click();
  await touch(page, 'role');
  await expect(page.getByRole('listitem').filter({ hasText: 'Night shift' })).toContainText('2 permissions');
  await page.goto(`${place.url}/users`);
  await page.getByRole('button', { name: `Actions for ${ADA.name}` }).click();
  await page.getByRole('menuitem', { name: /^Change role/ }).click();
  await page.getByRole('combobox', { name: 'Role 1', exact: true }).selectOption({ label: 'Night shift' });
  await page.getByRole('combobox', { name: 'Where role 1 holds' }).selectOption({ label: 'Northwind IT / Main' });
  await page.getByRole('dialog').getByRole('button', { name: 'Change roles' }).click();
  await touch(page, 'change-role');
  await expect(row(ADA.name)).toContainText(/Night shift.*Main/);
});

test('the limits of sessions change through the panel', async () => {
  await page.goto(`${place.url}/security/sessions`);
  await page.getByLabel('Without use, a session ends after').selectOption({ label: '15 min' });
  await accessible(page, 'limits');
  await look(page, 'limits');
  await page.getByRole('button', { name: 'Change limits' }).click();
  await touch(page, 'limits');
  await expect(page.getByText('Limits of sessions changed')).toBeVisible();
  expect(faults).toEqual([]);
});

test.describe('with a mail server', () => {
  let mailbox: Mailbox;
  let mailing: Installation;
  let boss: { context: BrowserContext; page: Page };
  let guests: BrowserContext;
  let guest: Page;

  test.beforeAll(async ({ browser }) => {
    mailbox = await new Mailbox().start();
    mailing = await new Installation().start({ env: mailbox.settings });
    boss = await ownerOf(mailing, browser);
    guests = await browser.newContext();
    guest = await guests.newPage();
  });

  test.afterAll(async () => {
    await guests.close();
    await boss.context.close();
    await mailing.stop();
    await mailbox.stop();
  });

  test('an invitation travels by mail and does nothing before a button is pressed', async () => {
    await invite(boss.page, mailing, ADA);
    await expect(boss.page.getByText(`The invitation is on its way to ${ADA.email}`)).toBeVisible();
    await activate(guest, await mailbox.link(ADA.email, 'invitation'), ADA.password, true, mailing.folder);
    await expect(guest).toHaveURL(/\/devices/);
  });

  test('A13: without a factor she reads until the day; later opens nothing, and the mailed link leads back to where she was', async ({ browser }) => {
    await boss.page.goto(`${mailing.url}/security/mfa`);
    await boss.page.getByRole('radio', { name: /They may read/ }).check();
    const last = new Date(`${new Date(Date.now() + 9 * 86_400_000).toISOString().slice(0, 10)}T23:59:59Z`);
    await boss.page.getByLabel(/Last day without/).fill(last.toISOString().slice(0, 10));
    await boss.page.getByRole('button', { name: 'Change policy' }).click();
    await touch(boss.page, 'mfa-grace');
    await boss.page.goto(`${mailing.url}/users`);
    await boss.page.getByRole('button', { name: `Actions for ${ADA.name}` }).click();
    await boss.page.getByRole('menuitem', { name: /^Reset factor/ }).click();
    await boss.page.getByRole('radio', { name: /Face to face/ }).check();
    await boss.page.getByRole('dialog').getByRole('button', { name: 'Reset factor' }).click();
    await touch(boss.page, 'reset-by-mail');
    await signInAs(guest, mailing, ADA);
    const greeting = guest.getByRole('dialog', { name: 'Set up a second factor' });
    await expect(greeting).toContainText(new RegExp(`asks everybody in your place for one from ${last.getDate()} ${last.toLocaleString('en', { month: 'short' })}`));
    await expect(greeting).toContainText('Until then you can look');
    await accessible(guest, 'activate-greeting');
    await keep(guest, 'activate-greeting');
    await look(guest, 'activate-greeting');
    await greeting.getByRole('button', { name: 'Activate later' }).click();
    await expect(guest.getByText('You are reading.')).toBeVisible();
    await guest.goto(`${mailing.url}/scripts/new`);
    await guest.locator('#script-name').fill('typed while reading');
    await guest.locator('.cm-content').click();
    await guest.keyboard.type('uptime');
    await guest.getByRole('button', { name: 'Save', exact: true }).click();
    const needed = guest.getByRole('dialog', { name: 'This needs a second factor' });
    await expect(needed).toContainText('Nothing has happened.');
    await accessible(guest, 'activate-needed');
    await keep(guest, 'activate-needed');
    await look(guest, 'activate-needed');
    await needed.getByRole('button', { name: 'Activate later' }).click();
    await expect(needed).toHaveCount(0);
    await expect(guest).toHaveURL(/\/scripts\/new/);
    await expect(guest.locator('#script-name')).toHaveValue('typed while reading');
    await guest.goto(`${mailing.url}/scripts`);
    await expect(guest.getByText('typed while reading')).toHaveCount(0);
    // What would open the authorization panel opens no panel, and asks for nothing.
    await guest.goto(`${mailing.url}/installers?new=1`);
    await guest.locator('#installer-label').fill('Not yet');
    await guest.getByRole('button', { name: 'Create installer' }).click();
    await expect(needed).toContainText('Nothing has happened.');
    await expect(guest.getByRole('dialog', { name: 'Authorize' })).toHaveCount(0);
    await needed.getByRole('button', { name: 'Activate later' }).click();
    await expect(guest.locator('#installer-label')).toHaveValue('Not yet');
    await boss.page.goto(`${mailing.url}/approvals`);
    await expect(boss.page.getByText('Nothing waits for a proof')).toBeVisible();
    // Once the date is over there is no later, not even where the page was open before.
    const elsewhere = await browser.newContext();
    const overdue = await elsewhere.newPage();
    await signInAs(overdue, mailing, ADA);
    const asked = overdue.getByRole('dialog', { name: 'Set up a second factor' });
    const later = asked.getByRole('button', { name: 'Activate later' });
    await expect(later).toBeVisible();
    await overdue.route('**/v1/**', (route) => route.abort()); // the server's clock does not go along
    await overdue.clock.setFixedTime(new Date(last.getTime() + 60_000));
    await expect(asked).toContainText('The date is over: there is no later.');
    await expect(later).toHaveCount(0);
    await overdue.keyboard.press('Escape');
    await expect(asked.getByRole('button', { name: 'Sign out' })).toBeVisible();
    await elsewhere.close();
    await guest.goto(`${mailing.url}/scripts`);
    await guest.getByRole('button', { name: 'Activate now' }).click();
    await guest.getByRole('dialog').getByRole('button', { name: 'Activate now' }).click();
    await expect(guest.getByRole('dialog', { name: 'A link is on its way' })).toBeVisible();
    await accessible(guest, 'activate-mailed');
    await activate(guest, await mailbox.link(ADA.email, 'activation'), ADA.password, false, mailing.folder);
    await expect(guest).toHaveURL(/\/scripts/);
    await expect(guest.getByText('You are reading.')).toHaveCount(0);
  });

  test('A35: the link in a notice stops everything by one button, and by nothing less', async () => {
    const stop = await guests.newPage();
    await stop.goto(await mailbox.link(ADA.email, 'not-me'));
    await expect(stop.getByRole('heading', { name: 'That was not me' })).toBeVisible();
    await accessible(stop, 'not-me-mail');
    await keep(stop, 'not-me-mail');
    await look(stop, 'not-me-mail');
    await expect(guest.getByRole('dialog')).toHaveCount(0);
    await stop.getByRole('button', { name: 'Stop everything' }).click();
    await expect(stop.getByRole('heading', { name: 'Stopped' })).toBeVisible();
    await expect(guest.getByRole('dialog', { name: 'Your session ended' })).toBeVisible();
    await look(stop, 'not-me-stopped');
  });
});
