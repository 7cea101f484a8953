import { type BrowserContext, expect, type Page, test } from '@playwright/test';
import type { Authenticator } from './support/authenticator.js';
import { Installation } from './support/installation.js';
import { accountsAge } from './support/past.js';
import { activate, copied, invite, ownerOf, panel, type Person } from './support/people.js';
import { keep, seen } from './support/pictures.js';
import { accessible, look } from './support/steps.js';

/** What takes two people, in two browsers: an administrator's factor is reset by an owner and another administrator. */
test.describe.configure({ mode: 'serial' });

const ADA = { name: 'Ada Lovelace', email: 'ada@northwind.example', password: 'four quiet harbours under snow' };
const BEN = { name: 'Ben Okri', email: 'ben@northwind.example', password: 'nine slow rivers past the mill' };
/** Whoever is new cannot be a second person. */
const DAYS = 8;

interface Colleague {
  context: BrowserContext;
  page: Page;
  authenticator: Authenticator;
}

let place: Installation;
let context: BrowserContext;
let page: Page;
let faults: string[];
let ada: Colleague;
let ben: Colleague;
let number = '';

test.beforeAll(async ({ browser }) => {
  test.setTimeout(200_000);
  place = await new Installation().start();
  ({ context, page, faults } = await ownerOf(place, browser));
  const joins = async (who: Person & { password: string }): Promise<Colleague> => {
    await invite(page, place, who, async () => void (await page.getByRole('combobox', { name: 'Role 1', exact: true }).selectOption('admin')));
    const link = await copied(page);
    const own = await browser.newContext();
    const first = await own.newPage();
    return { context: own, page: first, authenticator: await activate(first, link, who.password, true, place.folder) };
  };
  ada = await joins(ADA);
  ben = await joins(BEN);
  accountsAge(place, DAYS);
});

test.afterAll(async () => {
  await Promise.all([ada, ben].map((one) => one?.context.close()));
  await context.close();
  await place.stop();
});

test('A10 A12: the asker does their part, and gets a number to read to somebody', async () => {
  await page.goto(`${place.url}/users`);
  await page.getByRole('button', { name: `Actions for ${ADA.name}` }).click();
  await page.getByRole('menuitem', { name: /^Reset factor/ }).click();
  await page.getByRole('radio', { name: /calling them back/ }).check();
  await page.getByRole('dialog').getByRole('button', { name: 'Reset factor' }).click();
  await expect(panel(page)).toContainText('One more person');
  await panel(page).getByRole('button', { name: 'Authorize with your passkey' }).click();
  const shown = panel(page).getByLabel('Number for the second person');
  await expect(shown).toHaveText(/^\d{3}$/);
  number = await shown.innerText();
  await expect(panel(page)).toContainText('You have done your part');
  expect(await seen(page, 'authorize-asker')).toEqual([]);
  await keep(page, 'number');
});

test('A10: the second person types the number that they heard, and no code does without it', async () => {
  const on = ben.page;
  await on.goto(`${place.url}/approvals`);
  await on.getByRole('button', { name: 'Look and decide' }).click();
  await expect(panel(on)).toContainText(`Number on Robin Owner’s screen`);
  await expect(panel(on)).not.toContainText(number);
  const field = panel(on).getByLabel(/^Number on/);
  const send = panel(on).getByRole('button', { name: 'Authorize', exact: true });
  expect(await seen(on, 'authorize-second')).toEqual([]);
  await keep(on, 'second-person');
  const code = await ben.authenticator.soon();
  await on.locator('#gate-code').fill(code);
  await expect(send).toBeDisabled();
  await field.fill(String((Number(number) + 500) % 1000).padStart(3, '0'));
  await send.click();
  await expect(panel(on).getByRole('alert')).toContainText('number_refused');
  await expect(field).toHaveAttribute('aria-invalid', 'true');
  await accessible(on, 'number-refused');
  await look(on, 'number-refused');
  await expect(on.locator('#gate-code')).toHaveValue(code);
  await field.fill(number);
  await send.click();
  await expect(on.getByRole('dialog', { name: 'Authorized' })).toBeVisible();
});

test('A12: both agreed: her sessions are over, and the asker sees it without asking', async () => {
  await expect(ada.page.getByRole('dialog', { name: 'Your session ended' })).toBeVisible();
  await expect(page.getByRole('dialog', { name: 'Authorized' })).toBeVisible();
  expect(faults).toEqual([]);
});
