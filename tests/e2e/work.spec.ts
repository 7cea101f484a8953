import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { code, faults, moveIn, page, place } from './support/office.js';
import { accessible, approve, authorize, choose, installer, look, OWNER, toolbar, writeScript } from './support/steps.js';

/** One installation with four real agents. */
moveIn();

const SECRET = 'tangerine-4471';
const HOSTILE = '<img src=x onerror=alert(1)>';
/** The first device that comes stays, the second fails, the others say the same. */
const TEXT = [
  `echo '${HOSTILE}'`,
  'echo "a secret of ${#DB_PASS} letters"',
  'if mkdir "$PLACE/first" 2>/dev/null; then until [ -e "$PLACE/go" ]; do sleep 0.2; done; echo gone-on; sleep 600; fi',
  'if mkdir "$PLACE/second" 2>/dev/null; then exit 3; fi',
  '',
].join('\n');


async function askOnAll(): Promise<void> {
  await page.goto(`${place.url}/devices`);
  await choose(page, 4);
  await toolbar(page).getByRole('button', { name: 'Run script' }).click();
  await page.getByLabel('Script', { exact: true }).selectOption({ index: 1 });
  await page.getByLabel(/PLACE/).fill(place.folder);
  await page.getByLabel(/DB_PASS/).fill(SECRET);
  await page.getByRole('button', { name: 'Authorize on 4 devices' }).click();
  await expect(page.getByRole('dialog')).toContainText('4 devices');
}

test('a hostile host name is text, and four devices are approved at once', async () => {
  const file = await installer(page, place, 4, () => authorize(page, code, 'installer'));
  const names = ['a', 'b', 'c', 'd'];
  const renamed = place.hostileAgent('a', HOSTILE);
  for (const name of names.slice(renamed ? 1 : 0)) place.agent(name);
  for (const name of names) place.enrol(join(place.folder, name), file);
  await approve(page, place, 4, async () => {
    await look(page, 'devices-hostile');
    if (renamed) await expect(page.locator('tbody')).toContainText('onerror');
  });
});

test('keys alone: devices are moved through, selected and opened', async () => {
  await page.goto(`${place.url}/devices`);
  await expect(page.getByRole('checkbox', { name: /^Select (?!all)/ })).toHaveCount(4);
  await page.keyboard.press('j');
  await page.keyboard.press('x');
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  await page.keyboard.press('x');
  await expect(toolbar(page)).toContainText('2 selected');
  await page.keyboard.press('k');
  await page.keyboard.press('Shift+X');
  await page.keyboard.press('Escape');
  await expect(toolbar(page)).toHaveCount(0);
  await page.keyboard.press('/');
  await expect(page.getByLabel('Filter devices', { exact: true }).last()).toBeFocused();
  await page.keyboard.press('Escape');
  await page.locator('main').focus();
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/\/devices\/dev_/);
});

const rows = () => page.getByRole('checkbox', { name: /^Select (?!all)/ });
const tagged = (tag: string) => page.getByRole('row').filter({ has: page.locator('.tag', { hasText: tag }) });

test('devices are tagged, and filtered by chips that the address keeps', async () => {
  await page.goto(`${place.url}/devices`);
  await expect(rows()).toHaveCount(4);
  for (const at of [0, 1]) await rows().nth(at).check();
  await toolbar(page).getByRole('button', { name: 'Tag' }).click();
  const dialog = page.getByRole('dialog', { name: 'Tags' });
  await expect(dialog.getByLabel('Add a tag')).toBeFocused();
  await expect(dialog).toContainText('None yet');
  for (const tag of ['Web', 'night']) {
    await page.keyboard.type(tag);
    await page.keyboard.press('Enter');
    await expect(dialog.getByRole('button', { name: `Take ${tag.toLowerCase()} away` })).toBeVisible();
  }
  await accessible(page, 'tags');
  await look(page, 'tags');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(dialog).toHaveCount(0);
  for (const tag of ['web', 'night']) await expect(tagged(tag)).toHaveCount(2);

  const add = async (word: string) => {
    await page.getByRole('button', { name: 'Filter', exact: true }).click();
    await page.getByRole('menuitem', { name: word, exact: true }).click();
  };
  await page.keyboard.press('Escape');
  await add('web');
  await expect(rows()).toHaveCount(2);
  await expect(page).toHaveURL(/tag=web/);
  const os = await page.getByRole('row').nth(1).getByRole('cell').nth(4).getAttribute('title');
  await add(os?.split(/ GNU| \d/)[0] ?? '');
  await expect(page).toHaveURL(/os=/);
  await expect(rows()).toHaveCount(2);
  await page.reload();
  await expect(rows()).toHaveCount(2);
  await look(page, 'devices-filtered');

  // One of them loses a tag, from the menu of its row, and leaves a list that asks for it.
  await page.getByRole('button', { name: 'Remove filter Tag' }).click();
  await expect(rows()).toHaveCount(4);
  await add('night');
  await expect(rows()).toHaveCount(2);
  await page.getByRole('button', { name: /^Actions for/ }).first().click();
  await page.getByRole('menuitem', { name: 'Edit tags' }).click();
  await dialog.getByRole('button', { name: 'Take night away' }).click();
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(dialog).toHaveCount(0);
  await page.reload();
  await expect(rows()).toHaveCount(1);
  for (const group of ['Tag', 'OS']) await page.getByRole('button', { name: `Remove filter ${group}` }).click();
  await expect(rows()).toHaveCount(4);
  await expect(page).not.toHaveURL(/tag=|os=/);
});

test('a denied request runs nothing', async () => {
  await writeScript(page, place, { name: 'rotate', text: TEXT, parameters: [{ name: 'PLACE', secret: false }, { name: 'DB_PASS', secret: true }] });
  await askOnAll();
  await page.getByRole('button', { name: 'Deny' }).click();
  await expect(page.getByRole('dialog')).toContainText('This request was denied');
  await look(page, 'denied');
  await page.getByRole('button', { name: 'Close' }).last().click();
  await page.goto(`${place.url}/jobs`);
  await expect(page.getByText('No job yet')).toBeVisible();
  await page.goto(`${place.url}/approvals`);
  await expect(page.getByText('Nothing waits for a proof')).toBeVisible();
  await page.getByRole('link', { name: 'To the log' }).click();
  await expect(page.getByText(/denied/).first()).toBeVisible();
});

test('devices are chosen by filter where a script is run, and left out one by one', async () => {
  await page.goto(`${place.url}/scripts`);
  await page.getByRole('link', { name: 'rotate' }).first().click();
  await page.getByRole('link', { name: 'Run', exact: true }).click();
  const devices = page.getByRole('region', { name: 'Devices' });
  await expect(devices).toContainText('0 chosen');
  await devices.getByRole('button', { name: 'All approved devices' }).click();
  await expect(devices).toContainText('4 chosen, 4 online');
  await devices.getByRole('button', { name: 'Filter', exact: true }).click();
  await page.getByRole('menuitem', { name: 'web', exact: true }).click();
  await expect(devices).toContainText('2 chosen, 2 online');
  await expect(page.getByRole('button', { name: 'Authorize on 2 devices' })).toBeDisabled();
  await expect(page.getByText(/PLACE/).first()).toBeVisible(); // the script is still the one that was chosen
  await accessible(page, 'run-filtered');
  await devices.getByRole('button', { name: /^Leave .* out$/ }).first().click();
  await expect(devices).toContainText('1 chosen, 1 online');
  await devices.getByLabel('Find devices', { exact: true }).fill('no device is called this');
  await expect(devices).toContainText('0 chosen');
});

test('a wrong code stays in the panel and loses nothing; a secret is in no page', async () => {
  await askOnAll();
  expect(await page.getByRole('dialog').innerText()).not.toContain(SECRET);
  await page.locator('#gate-code').fill('135790');
  await expect(page.locator('#gate-fault')).toContainText('code_refused');
  await expect(page.locator('#gate-code')).toHaveValue('135790');
  await expect(page.getByRole('dialog')).toContainText('4 devices');
  await look(page, 'code-refused');
  await accessible(page, 'refused code');
  await authorize(page, code, 'rotate');
  await expect(page).toHaveURL(/\/jobs\/job_/);
  await expect(page.getByText('2 devices said exactly this')).toBeVisible();
  for (const tab of ['', '?tab=script', '?tab=grant']) {
    await page.goto(`${page.url().split('?')[0]}${tab}`);
    await expect(page.getByRole('heading', { name: /rotate v1/ })).toBeVisible();
    expect(await page.content(), tab).not.toContain(SECRET);
  }
});

test('one run of a running job is cancelled; equal results stand together; output is text', async () => {
  await page.goto(page.url().split('?')[0] ?? '');
  await page.locator('.result').filter({ hasText: /running/i }).click();
  // What it says arrives while it runs.
  const shown = page.locator('section[aria-labelledby=run-name]');
  const output = shown.getByRole('region', { name: /^Output of/ });
  await expect(output).toContainText(`a secret of ${SECRET.length} letters`);
  await expect(output).not.toContainText('gone-on');
  writeFileSync(join(place.folder, 'go'), '');
  await expect(output).toContainText('gone-on');
  await expect(shown).toContainText('Running');
  await page.getByRole('button', { name: 'Cancel this run' }).click();
  await page.getByRole('button', { name: 'Cancel it?' }).click();
  await expect(page.locator('.result').filter({ hasText: /cancelled/i })).toHaveCount(1);
  await expect(page.getByText('3 of 4 finished')).toHaveCount(0);
  const year = new Date().getUTCFullYear();
  await expect(shown).toContainText(new RegExp(`Began\\s*\\d+ \\w+ ${year} [\\d:]+ UTC\\s*Took\\s*\\d+`));
  await expect(page.getByText('Exit code 3')).toBeVisible();
  await page.locator('summary').filter({ hasText: '2 devices said exactly this' }).click();
  await expect(page.locator('.output').filter({ hasText: `a secret of ${SECRET.length} letters` }).first()).toBeVisible();
  await expect(page.locator('.output').filter({ hasText: HOSTILE }).first()).toBeVisible();
  expect(await page.locator('img').count()).toBe(0);
  await look(page, 'job-groups');
  await accessible(page, 'job with groups');
});

test('a rerun on the failed one is a new authorization', async () => {
  const before = page.url();
  await page.getByRole('button', { name: 'Run again on 1' }).click();
  await expect(page).toHaveURL(/\/run\?/);
  await expect(page.getByText('1 chosen')).toBeVisible();
  await page.getByLabel(/PLACE/).fill(place.folder);
  await expect(page.getByLabel(/DB_PASS/), 'secrets are typed again').toHaveValue('');
  await page.getByLabel(/DB_PASS/).fill(SECRET);
  await page.getByRole('button', { name: /on 1 device$/ }).click();
  // One device within the step-up window that the last code opened: covered by it, and written down as such.
  await expect(page).toHaveURL(/\/jobs\/job_/);
  expect(page.url()).not.toBe(before);
  await expect(page.getByText('1 of 1 finished')).toBeVisible();
  await page.goto(`${place.url}/approvals`);
  await look(page, 'approvals-after');
});

test('jobs stand in a list of their own, and with the device that they ran on', async () => {
  await page.goto(`${place.url}/jobs`);
  const jobs = page.getByRole('table', { name: 'Jobs' }).getByRole('row');
  await expect(jobs).toHaveCount(3);
  await expect(jobs.nth(2)).toContainText(/rotate v1.*4 devices/);
  await expect(jobs.nth(2)).toContainText(OWNER.name);
  await jobs.nth(1).getByRole('link', { name: 'rotate' }).click();
  await page.locator('.result').first().click();
  await page.locator('#run-name').getByRole('link').click();
  await page.getByRole('navigation').getByRole('link', { name: /^Jobs/ }).last().click();
  await expect(page).toHaveURL(/tab=jobs/);
  await expect(jobs).toHaveCount(3); // the first run and the second
  await expect(jobs.nth(1)).toContainText('1 device');
});

test('what leads nowhere says so', async () => {
  for (const path of ['/nowhere', '/devices/dev_00000000000000000000000000', '/jobs/job_00000000000000000000000000', '/scripts/scr_nonsense']) {
    await page.goto(place.url + path);
    await expect(page.getByText(/There is nothing here|nothing here/i).first(), path).toBeVisible();
    await accessible(page, path);
  }
  const answer = await page.request.get(`${place.url}/v1/nowhere`);
  expect(answer.status()).toBe(404);
  expect(await answer.json()).toMatchObject({ code: 'not_found' });
  expect(faults).toEqual([]);
});
