import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { code, faults, moveIn, owner, page, place } from './support/office.js';
import { jobsBefore } from './support/past.js';
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
  const file = await installer(page, place, 5, () => authorize(page, code, 'installer'));
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
  await page.locator('main').focus();
  await page.keyboard.press('/');
  await expect(devices.getByLabel('Find devices', { exact: true })).toBeFocused();
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
  await expect(page.getByRole('link', { name: 'Trust', exact: true }), 'its page is there').toBeVisible();
  await page.getByRole('navigation').getByRole('link', { name: /^Jobs/ }).last().click();
  await expect(page).toHaveURL(/tab=jobs/);
  await expect(jobs).toHaveCount(3); // the first run and the second
  await expect(jobs.nth(1)).toContainText('1 device');
  await expect(page.getByRole('button', { name: 'Show older ones' })).toHaveCount(0);

  // A job opens at what this device said in it, among four.
  const [name, here] = [await page.getByRole('heading', { level: 1 }).innerText(), page.url()];
  await jobs.nth(2).getByRole('link', { name: 'rotate' }).click();
  await expect(page).toHaveURL(/\/jobs\/job_.*\?device=dev_/);
  await expect(page.locator('.result')).toHaveCount(4);
  await expect(page.locator('.result[aria-pressed=true]')).toHaveCount(1);
  await expect(page.locator('#run-name').getByRole('link')).toHaveText(name);
  await expect(page.locator('#run-name').getByRole('link')).toHaveAttribute('href', new URL(here).pathname);
  await expect(page.locator('#run-name')).toBeInViewport();
  await page.locator('section[aria-labelledby=run-name]').getByRole('button', { name: 'Close' }).click();
  await expect(page.locator('#run-name')).toHaveCount(0);
  await expect(page).not.toHaveURL(/device=/);
  await page.goto(here);

  // Much ran on it before: what does not fit on the first page follows.
  jobsBefore(place, 120);
  await page.reload();
  await expect(jobs).toHaveCount(101);
  await expect(page.getByText('100 shown')).toBeVisible();
  await page.getByRole('button', { name: 'Show older ones' }).click();
  await expect(jobs).toHaveCount(123);
  await expect(page.getByRole('button', { name: 'Show older ones' })).toHaveCount(0);
  await look(page, 'device-jobs-older');
});

test('a device’s page says what the machine itself says', async () => {
  const said = (program: string, ...args: string[]) => execFileSync(program, args, { encoding: 'utf8' }).trim();
  await page.getByRole('navigation').getByRole('link', { name: 'Overview' }).click();
  const name = await page.getByRole('heading', { level: 1 }).innerText();
  expect([hostname(), HOSTILE.replaceAll(/[<>=]/g, ''), HOSTILE]).toContain(name);
  const system = page.getByRole('region', { name: 'System' });
  await expect(system).toContainText(`${said('uname', '-r')} ${said('uname', '-m')}`);
  await expect(system).toContainText(/Memory\s*[\d.]+ [GM]i?B/);
  await expect(system).toContainText(/Agent\s*\d+\.\d+\.\d+/);
  await expect(system).toContainText(/Accounts\s*\d+/);
  const wired = Object.entries(networkInterfaces()).filter(([, addresses]) => addresses?.some((one) => !one.internal));
  for (const [card, addresses] of wired) {
    const row = page.getByRole('table', { name: 'Network interfaces' }).getByRole('row').filter({ has: page.getByRole('cell', { name: card, exact: true }) });
    for (const one of addresses ?? []) await expect(row).toContainText(one.address);
    await expect(row).toContainText(addresses?.[0]?.mac ?? '-');
  }
  await expect(page.getByRole('table', { name: 'Volumes' }).getByRole('row').filter({ has: page.getByRole('cell', { name: '/', exact: true }) })).toContainText(/[\d.]+ [GMT]i?B/);
  await expect(page.getByRole('region', { name: 'Trust' })).toContainText(`by ${OWNER.name}`);

  await page.getByRole('navigation').getByRole('link', { name: 'Trust' }).click();
  const thumbprint = (await page.getByRole('region', { name: 'This device' }).locator('.digest').innerText()).replaceAll(/\s/g, '');
  const machine = ['a', 'b', 'c', 'd'].map((one) => place.status(join(place.folder, one)).replaceAll(/\s/g, '')).find((status) => status.includes(thumbprint)) ?? '';
  expect(thumbprint).toMatch(/^[0-9a-f]{64}$/);
  const pin = (await page.getByRole('region', { name: 'Who commands it' }).locator('.digest').first().innerText()).replaceAll(/\s/g, '');
  expect(machine).toContain(pin);
  const { authority_pin: kept }: { authority_pin: string } = JSON.parse(readFileSync(owner.kit, 'utf8'));
  expect(pin).toBe(kept);
  await accessible(page, 'device-trust');
});

/** What the editor holds. */
const editor = () => page.locator('.cm-content');

test('a script that is typed on while it is saved keeps what was typed; its words have colours of their own', async () => {
  await page.goto(`${place.url}/scripts/new`);
  await page.locator('#script-name').fill('tidy');
  await editor().click();
  await page.keyboard.press('Control+End');
  await page.keyboard.insertText('if true; then plain "quoted words" # remark\nfi\n');
  const colour = (text: string) =>
    editor().evaluate((content, wanted) => {
      const walker = document.createTreeWalker(content, NodeFilter.SHOW_TEXT);
      for (let node = walker.nextNode(); node; node = walker.nextNode()) if (node.textContent?.includes(wanted) && node.parentElement) return getComputedStyle(node.parentElement).color;
      return undefined;
    }, text);
  const colours = await Promise.all(['plain', 'then', '"quoted words"', '# remark'].map(colour));
  expect(colours).not.toContain(undefined);
  expect(new Set(colours).size, colours.join()).toBe(4);

  const held = new Promise<() => void>((hold) => void page.route('**/v1/scripts', async (route) => {
    if (route.request().method() === 'POST') await new Promise<void>(hold);
    await route.fallback();
  }));
  const asked = page.waitForRequest((request) => request.method() === 'POST' && request.url().endsWith('/v1/scripts'));
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  expect(((await asked).postDataJSON() as { text: string }).text).not.toContain('meanwhile');
  await editor().click();
  await page.keyboard.press('Control+End');
  await page.keyboard.insertText('echo meanwhile\n');
  (await held)();
  await expect(page).toHaveURL(/\/scripts\/scr_/);
  await page.unroute('**/v1/scripts');
  await page.keyboard.type('echo "and on"'); // the caret is where it was
  await expect(editor()).toContainText('echo meanwhile');
  await expect(editor()).toContainText('echo "and on"');
  await expect(page.getByText('Not saved')).toBeVisible();
  await page.getByRole('button', { name: 'Save as v2' }).click();
  await expect(page.getByRole('link', { name: 'Run', exact: true })).toBeVisible();
  await page.reload();
  await expect(editor()).toContainText('echo "and on"');
});

test('an old version is read, compared and taken over; a script leaves the library', async () => {
  const side = page.getByRole('complementary', { name: 'About this script' });
  await expect(side.getByRole('region', { name: 'Versions' }).getByRole('listitem')).toHaveCount(2);
  await side.getByRole('button', { name: /^v1/ }).click();
  const old = page.getByLabel('Version 1', { exact: true });
  await expect(old).toContainText('echo meanwhile'); // what came since, as a change
  await page.getByRole('radiogroup', { name: 'Show' }).or(page.getByRole('group', { name: 'Show' })).getByText('v1 as it was').click();
  await expect(old).toContainText('# remark');
  await expect(old).not.toContainText('meanwhile');
  await accessible(page, 'script-old-version');
  await look(page, 'script-old-version');
  await page.getByRole('button', { name: 'Take this text over' }).click();
  await expect(editor()).toContainText('# remark');
  await expect(editor()).not.toContainText('meanwhile');
  await page.getByRole('button', { name: 'Save as v3' }).click();
  await expect(side.getByRole('region', { name: 'Versions' }).getByRole('listitem')).toHaveCount(3);
  const [newest, , first] = await side.locator('.versions__more').allInnerTexts();
  expect(newest).toBe(first); // the same text has the same digest

  await page.getByRole('button', { name: 'Delete this script' }).click();
  const dialog = page.getByRole('dialog', { name: 'Delete tidy' });
  await expect(dialog).toContainText('with all its 3 versions');
  await accessible(page, 'script-delete');
  await dialog.getByRole('button', { name: 'Delete', exact: true }).click();
  await expect(page).toHaveURL(/\/scripts$/);
  await expect(page.getByRole('link', { name: 'rotate' }).first()).toBeVisible();
  await expect(page.getByRole('link', { name: 'tidy' })).toHaveCount(0);
});

test('an installer says how often it was used, and works for nobody once it is revoked', async () => {
  await page.goto(`${place.url}/installers`);
  const office = page.getByRole('table', { name: 'Installers' }).getByRole('row').filter({ hasText: 'Office' });
  await expect(office).toContainText(/Works.*4 of 5/);
  await expect(office).toContainText(OWNER.name);
  await expect(page.getByText('1 works now')).toBeVisible();
  await page.getByRole('searchbox', { name: 'Filter installers' }).fill('nobody made this');
  await expect(page.getByText('Nothing matches')).toBeVisible();
  await page.getByRole('searchbox', { name: 'Filter installers' }).fill('office');
  await office.getByRole('button', { name: 'Revoke' }).click();
  await expect(office).toContainText('Works'); // the first press only asks
  await office.getByRole('button', { name: 'Revoke it?' }).click();
  await expect(office).toContainText('Revoked');
  await expect(office.getByRole('button')).toHaveCount(0);
  await expect(page.getByText('none works now')).toBeVisible();
  place.enrol(place.agent('late'), join(place.folder, 'enrolment.json'));
  await page.goto(`${place.url}/audit`);
  await expect(page.getByText(/revoked installer Office/)).toBeVisible();
  await expect(page.getByText(/was refused with installer/).first()).toBeVisible();
  await page.goto(`${place.url}/devices?state=pending`);
  await expect(page.getByText('Nothing waits for approval')).toBeVisible();
});

test('what leads nowhere says so', async () => {
  const lists = { '/nowhere': '/devices', '/devices/dev_00000000000000000000000000': '/devices', '/jobs/job_00000000000000000000000000': '/jobs', '/scripts/scr_nonsense': '/scripts', '/users/usr_00000000000000000000000000': '/users' };
  for (const [path, list] of Object.entries(lists)) {
    await page.goto(place.url + path);
    await expect(page.getByText(/There is nothing here|nothing here/i).first(), path).toBeVisible();
    await expect(page.locator('main').getByRole('link', { name: /^To the/ }), 'it leads on').toHaveAttribute('href', list);
    await accessible(page, path);
  }
  const answer = await page.request.get(`${place.url}/v1/nowhere`);
  expect(answer.status()).toBe(404);
  expect(await answer.json()).toMatchObject({ code: 'not_found' });
  expect(faults).toEqual([]);
});
