import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { code, faults, moveIn, page, place } from './support/office.js';
import { FOLDER, keep, seen, THOROUGH, WIDTHS } from './support/pictures.js';
import { authorize, installer, toolbar, writeScript } from './support/steps.js';

/** Every page in both themes and both widths: looked at by axe, and by whoever opens the folder. */
moveIn();
test.use({ trace: 'off' });

const FLEET = 40;
const DISK_CLEAN = [ // real agents run it, so it cleans what it made itself
  'keep_days="${1:-14}" cache="$(mktemp -d)"',
  'df --output=pcent / | tail -n 1',
  'echo "files older than ${keep_days} days:"',
  'find "$cache" -type f -mtime "+${keep_days}" -print -delete',
  'rmdir "$cache"',
  '',
].join('\n');
/** Pages that the guide shows, dark and light. */
const SHOWN = new Set(['devices', 'device', 'device-software', 'device-trust', 'scripts', 'script', 'run', 'jobs', 'job', 'installers', 'approvals', 'audit']);

let pages: Record<string, string> = {};
let askedFor: string[] = [];

test.beforeAll(async () => {
  test.setTimeout(150_000);
  await populate();
});

/** Two real machines and a fleet of invented ones. */
async function populate(): Promise<void> {
  const file = await installer(page, place, FLEET + 2, () => authorize(page, code, 'fleet'));
  for (const name of ['one', 'two']) place.enrol(place.agent(name), file);
  place.fleet(FLEET, file);
  const count = 2 + FLEET;
  await page.goto(`${place.url}/devices?state=pending`);
  await expect(page.getByText(`${count} of ${count} shown`)).toBeVisible({ timeout: 40_000 });
  await page.getByRole('checkbox', { name: /^Select all/ }).check();
  await toolbar(page).getByRole('button', { name: /Approve/ }).click();
  await expect(page.getByText('Nothing waits for approval')).toBeVisible();
  await writeScript(page, place, { name: 'disk-clean', text: DISK_CLEAN });
  pages = { devices: '/devices', script: new URL(page.url()).pathname };
  await page.goto(`${place.url}/run?all=1&script=${pages['script']?.split('/').pop()}`);
  await page.getByLabel('Arguments').fill('14');
  await page.getByRole('button', { name: `Authorize on ${count} devices` }).click();
  askedFor = await seen(page, 'authorize');
  await keep(page, 'authorize');
  await authorize(page, code, 'many');
  await expect(page).toHaveURL(/\/jobs\/job_/);
  await expect(page.getByText(`${count} of ${count} finished`)).toBeVisible({ timeout: 40_000 });
  const job = new URL(page.url()).pathname;
  await page.goto(`${place.url}/devices`);
  const device = new URL((await page.locator('a.table__name').first().getAttribute('href')) ?? '', place.url).pathname;
  const tabs = (THOROUGH ? ['processes', 'services', 'software', 'jobs', 'trust'] : ['software', 'trust']).map((tab) => [`device-${tab}`, `${device}?tab=${tab}`]);
  Object.assign(pages, { device, ...Object.fromEntries(tabs), scripts: '/scripts', run: `/run?all=1&script=${pages['script']?.split('/').pop()}`, jobs: '/jobs', job, 'job-grant': `${job}?tab=grant` });
  Object.assign(pages, { installers: '/installers', 'installer-new': '/installers?new=1', approvals: '/approvals', audit: '/audit', 'audit-entry': '/audit?entry=1', profile: '/profile', nowhere: '/nowhere' });
}

test('every page is accessible in both themes, on a screen and on a phone', async () => {
  test.setTimeout(THOROUGH ? 600_000 : 200_000);
  const found = [...askedFor];
  for (const [name, path] of Object.entries(pages)) {
    await page.goto(place.url + path);
    await expect(page.locator('main')).toBeVisible();
    await expect(page.locator('.bone')).toHaveCount(0);
    found.push(...(await seen(page, name)));
    if (SHOWN.has(name)) await keep(page, name);
  }
  expect(found).toEqual([]);
  expect(faults).toEqual([]);
});

test('a phone signs in, sees devices, approves a request and ends a session', async ({ browser }) => {
  const pocket = await browser.newContext({ viewport: WIDTHS.phone, hasTouch: true, isMobile: true });
  const phone = await pocket.newPage();
  await phone.goto(place.url);
  await phone.locator('#email').fill('robin@northwind.example');
  await phone.locator('#password').fill('six lanterns cross the harbour');
  await phone.screenshot({ path: join(FOLDER, 'phone-sign-in.png') });
  await phone.locator('#code').fill(await code());
  await expect(phone.locator('a.table__name').first()).toBeVisible();

  await page.goto(place.url + (pages['run'] ?? ''));
  await page.getByRole('button', { name: /^Authorize on/ }).click();
  await expect(page.getByRole('dialog')).toBeVisible();
  await page.getByRole('button', { name: 'Close and keep the request open' }).click();

  await keep(phone, 'phone-devices');
  await phone.getByRole('link', { name: /Approvals/ }).click();
  await phone.getByRole('button', { name: 'Look and decide' }).click();
  await expect(phone.getByRole('dialog')).toContainText('unchanged since it last ran');
  await phone.screenshot({ path: join(FOLDER, 'phone-authorize.png') });
  await keep(phone, 'phone-authorize');
  await phone.locator('#gate-code').fill(await code());
  await phone.locator('[data-receipt-next]').click();
  await expect(phone).toHaveURL(/\/jobs\/job_/);
  await phone.screenshot({ path: join(FOLDER, 'phone-job.png') });

  await phone.getByRole('button', { name: /Robin Owner/ }).click();
  await phone.getByRole('menuitem', { name: /Profile/ }).click();
  await phone.getByRole('button', { name: 'End', exact: true }).click();
  await phone.screenshot({ path: join(FOLDER, 'phone-sessions.png') });
  await phone.getByRole('button', { name: 'End it?' }).click();
  await expect(page.getByRole('dialog', { name: 'Your session ended' })).toBeVisible({ timeout: 5000 });
  await pocket.close();
});
