import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type BrowserContext, expect, type Page, test } from '@playwright/test';
import { Installation } from './support/installation.js';
import { authorize, installer, type Owner, serious, setUp, toolbar, watch, writeScript } from './support/steps.js';

/** Every page in both themes and both widths: looked at by axe, and by whoever opens the folder. */
test.describe.configure({ mode: 'serial' });
test.use({ trace: 'off' });

const FLEET = 40;
const WIDTHS = { wide: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } };
const DISK_CLEAN = [ // real agents run it, so it cleans what it made itself
  'keep_days="${1:-14}" cache="$(mktemp -d)"',
  'df --output=pcent / | tail -n 1',
  'echo "files older than ${keep_days} days:"',
  'find "$cache" -type f -mtime "+${keep_days}" -print -delete',
  'rmdir "$cache"',
  '',
].join('\n');
const FOLDER = join(import.meta.dirname, 'out/pictures');
/** With SALLYPORT_PICTURES set, axe reads every combination, and the documentation's pictures are taken anew. */
const THOROUGH = Boolean(process.env['SALLYPORT_PICTURES']);
const SHOWN = new Set(['devices-wide-dark', 'device-wide-dark', 'authorize-wide-dark', 'job-wide-light', 'audit-wide-light', 'devices-phone-dark']);
const DOCUMENTED = resolve(import.meta.dirname, '../../docs/pictures');

let place: Installation;
let owner: Owner;
let context: BrowserContext;
let page: Page;
let faults: string[];
let pages: Record<string, string> = {};
let askedFor: string[] = [];

test.beforeAll(async ({ browser }) => {
  test.setTimeout(150_000);
  mkdirSync(FOLDER, { recursive: true });
  place = await new Installation().start();
  context = await browser.newContext();
  page = await context.newPage();
  faults = watch(page);
  owner = await setUp(page, place);
  await populate();
});

test.afterAll(async () => {
  await context.close();
  await place.stop();
});

const code = () => owner.authenticator.soon();

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
  askedFor = await seen('authorize');
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

/** Both themes and widths of what is on the page now; returns what is wrong. Each theme and each width is read by axe at least once. */
async function seen(name: string): Promise<string[]> {
  const found: string[] = [];
  for (const width of ['wide', 'phone'] as const) {
    await page.setViewportSize(WIDTHS[width]);
    for (const theme of ['light', 'dark']) {
      await page.evaluate((wanted) => (document.documentElement.dataset['theme'] = wanted), theme);
      await page.waitForTimeout(200); // colours may take their 150 ms
      const picture = `${name}-${width}-${theme}`;
      await page.screenshot({ path: join(FOLDER, `${picture}.png`) });
      if (THOROUGH && SHOWN.has(picture)) await page.screenshot({ path: join(DOCUMENTED, `${picture}.png`) });
      const sideways = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (sideways > 0) found.push(`${picture}: ${sideways} px too wide`);
      if (THOROUGH || (width === 'wide') === (theme === 'light')) found.push(...(await serious(page, picture)));
    }
  }
  await page.setViewportSize(WIDTHS.wide);
  return found;
}

test('every page is accessible in both themes, on a screen and on a phone', async () => {
  test.setTimeout(THOROUGH ? 400_000 : 200_000);
  const found = [...askedFor];
  for (const [name, path] of Object.entries(pages)) {
    await page.goto(place.url + path);
    await expect(page.locator('main')).toBeVisible();
    await expect(page.locator('.bone')).toHaveCount(0);
    found.push(...(await seen(name)));
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

  await phone.getByRole('link', { name: /Approvals/ }).click();
  await phone.getByRole('button', { name: 'Look and decide' }).click();
  await expect(phone.getByRole('dialog')).toContainText('unchanged since it last ran');
  await phone.screenshot({ path: join(FOLDER, 'phone-authorize.png') });
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
