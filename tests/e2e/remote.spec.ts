import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { type AddressInfo, createServer } from 'node:net';
import { copyFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { context, faults, moveIn, page, place } from './support/office.js';
import { both, connected, deviceId, enrol, line, ofProcess, proveIfAsked, rows, shows, type } from './support/remote.js';
import { accessible, look, watch, writeScript } from './support/steps.js';

/** One installation behind a cable, with two real agents. */
moveIn(() => ({ cabled: true, permissions: ['clipboard-read', 'clipboard-write'] }));

let device: string;
let screen: string;

test.beforeAll(async () => {
  await enrol(place.agent('web'), place.desktop('screen-01'));
  screen = await deviceId((links) => links.filter({ hasText: 'screen-01' }));
  device = await deviceId((links) => links.filter({ hasNotText: 'screen-01' }));
});

const openTab = async (key: string) => page.goto(`${place.url}/devices/${device}?tab=${key}`);

test('a terminal opens by a code of its own: the window serves one kind', async () => {
  await openTab('files');
  await page.getByRole('button', { name: 'Open files' }).click();
  await proveIfAsked(connected());
  await openTab('terminal');
  await expect(page.getByText('The device records what the shell writes')).toBeVisible();
  await look(page, 'remote-before');
  await page.getByRole('button', { name: 'Open a terminal' }).click();
  await expect(page.getByRole('dialog')).toContainText('Open a terminal');
  await look(page, 'authorize-terminal');
  expect(await proveIfAsked(connected())).toBe('by a code');
  await line('echo $((6 * 7))-answer');
  await shows(/42-answer/);
  await both('remote-terminal');
  await expect(page.locator('.topbar')).toContainText('Step-up: terminal');
  await accessible(page, 'terminal');
});

test('the shell has the size of the window, and follows it', async () => {
  const size = async () => (await page.locator('.remote .foot').innerText()).match(/(\d+) × (\d+)/)?.slice(1).map(Number) ?? [];
  const [columns, lines] = await size();
  await line('clear; stty size');
  await shows(new RegExp(`^\\s*${lines} ${columns}\\b`, 'm'));
  await page.setViewportSize({ width: 1100, height: 760 });
  await expect.poll(size).not.toEqual([columns, lines]);
  const [narrower, fewer] = await size();
  await line('clear; stty size');
  await shows(new RegExp(`^\\s*${fewer} ${narrower}\\b`, 'm'));
  await page.setViewportSize({ width: 1440, height: 900 });
});

test('a full-screen editor works', async () => {
  const file = join(place.folder, 'vim.txt');
  await line(`vim -u NONE ${file}`);
  await shows(/~/);
  await type('ihello from vim');
  await shows(/hello from vim/);
  await look(page, 'remote-vim');
  await page.keyboard.press('Escape');
  await line(':wq');
  await expect.poll(() => (existsSync(file) ? readFileSync(file, 'utf8') : '')).toBe('hello from vim\n');
});

test('escape sequences of a device stay in the terminal', async () => {
  const title = await page.title();
  await page.evaluate(() => navigator.clipboard.writeText('untouched'));
  await line(`clear; printf '\\033]0;taken\\007\\033]2;taken\\007\\033]52;c;dGFrZW4=\\007\\033]8;;https://evil.example\\007shown\\033]8;;\\007 \\033[38;2;255;120;0morange\\033[0m\\n'`);
  await shows(/^shown orange/m);
  expect(await page.title()).toBe(title);
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe('untouched');
  await expect(page.locator('a[href*="evil.example"]')).toHaveCount(0);
  const colour = await page.locator('.xterm-rows span', { hasText: 'orange' }).last().evaluate((span) => getComputedStyle(span).color);
  expect(colour).toBe('rgb(255, 120, 0)');
  expect(faults).toEqual([]);
});

test('several lines are shown before they are pasted', async () => {
  await page.evaluate(() => navigator.clipboard.writeText('echo one-pasted\necho two-pasted\n'));
  await page.locator('.xterm-helper-textarea').focus();
  await page.keyboard.press('Control+Shift+V');
  await expect(page.getByRole('dialog')).toContainText('Paste 2 lines');
  await page.getByRole('dialog').getByRole('button', { name: 'Paste', exact: true }).click();
  await page.keyboard.press('Enter');
  await shows(/^two-pasted/m);
});

test('what the terminal shows is found, also what scrolled away, one hit before the other', async () => {
  await line('clear; seq -f "hit-%g-" 1 3; seq 400 699; echo "hit-"4-');
  await shows(/^hit-4-/m);
  await page.keyboard.press('Control+Shift+F');
  const find = page.getByRole('search').filter({ has: page.getByLabel('Find in this terminal') });
  const field = page.getByLabel('Find in this terminal');
  const stands = async (at: number) => expect(find.getByRole('status')).toHaveText(`${at} of 4`);
  await field.fill('hit-');
  await stands(4); // the last one first
  expect(await rows().innerText()).not.toContain('hit-3-');
  await field.press('Enter');
  await stands(3);
  await shows(/^hit-3-\s*^400/m);
  expect(await rows().innerText()).not.toContain('hit-4-');
  await find.getByRole('button', { name: 'Earlier' }).click();
  await stands(2);
  await find.getByRole('button', { name: 'Later' }).click();
  await stands(3);
  await field.press('Shift+Enter');
  await stands(4);
  await shows(/^hit-4-/m);
  await field.fill('HIT-4-');
  await expect(find.getByRole('status')).toHaveText('1 of 1');
  await find.getByLabel('Match case').check();
  await expect(find.getByRole('status')).toHaveText('Nothing found');
  await page.keyboard.press('Escape');
  await page.locator('.xterm-helper-textarea').focus();
});

test('a lost link costs neither shell nor output', async () => {
  await line('clear; KEPT=still-here; echo $KEPT; (sleep 3; echo written-meanwhile) &');
  await shows(/still-here/);
  place.cable?.cut();
  await expect(page.locator('.sessionbar').getByText('Reconnecting').first()).toBeVisible();
  await expect(page.locator('.termtab[aria-selected=true]')).toContainText('shell kept');
  await look(page, 'remote-reconnecting');
  await page.waitForTimeout(4000);
  place.cable?.mend();
  await expect(connected()).toBeVisible();
  await shows(/written-meanwhile/);
  await line('echo $KEPT-after');
  await shows(/still-here-after/);
});

test('a second viewer sees the same, is named, and cannot type', async () => {
  const second = await context.newPage();
  const more = watch(second);
  await second.goto(`${place.url}/sessions`);
  const row = second.getByRole('row').filter({ hasText: 'Terminal' });
  await expect(row).toContainText('running');
  await both('remote-sessions', second);
  await row.getByRole('link').first().click();
  await second.getByRole('button', { name: 'Watch' }).click();
  await proveIfAsked(connected(second), second);
  await shows(/still-here-after/, second);
  await expect(page.locator('.sessionbar')).toContainText('you, robin@northwind.example');
  await type('echo not-mine\n', second);
  await line('echo mine-$((1 + 1))');
  await shows(/mine-2/, second);
  expect(await rows(second).innerText()).not.toContain('not-mine');
  await look(second, 'remote-watching');
  expect(more).toEqual([]);
  await second.close();
});

test('an administrator ends it from the list, within a second for everybody', async () => {
  const second = await context.newPage();
  await second.goto(`${place.url}/sessions`);
  const row = second.getByRole('row').filter({ hasText: 'Terminal' });
  await row.getByRole('button', { name: /Actions/ }).click();
  await second.getByRole('menuitem', { name: /End for everybody/ }).click();
  await expect(page.locator('.term__end')).toBeVisible({ timeout: 2500 });
  await look(page, 'remote-ended');
  await second.close();
});

test('its recording is played, searched, and has the digest that the device signed', async () => {
  await page.goto(`${place.url}/sessions?state=ended`);
  await page.getByRole('row').filter({ hasText: 'Terminal' }).getByRole('link').first().click();
  await expect(page.getByText('Digest fits')).toBeVisible();
  await page.getByLabel('Find in the recording').fill('42-answer');
  await page.getByRole('list', { name: 'Where it was written' }).getByRole('button').last().click();
  await expect.poll(async () => (await page.locator('.player .xterm-rows').innerText()).replaceAll('\u00a0', ' ')).toContain('42-answer');
  const shown = async () => (await page.locator('.player .xterm-rows').innerText()).replaceAll('\u00a0', ' ');
  await page.getByLabel('Moment').fill('0');
  await expect.poll(shown).not.toContain('42-answer');
  await page.getByLabel('Moment').press('End');
  await expect.poll(shown).toContain('mine-2');
  const moment = async () => Number(await page.getByLabel('Moment').inputValue());
  const end = await moment();
  await page.getByLabel('Moment').fill(String(end / 2));
  await expect.poll(shown).not.toContain('mine-2');
  await expect.poll(async () => (await shown()).trim()).not.toBe('');
  await page.locator('main').focus();
  await page.keyboard.press('ArrowLeft');
  expect(Math.abs(end / 2 - 5 - (await moment()))).toBeLessThan(0.01);
  await page.keyboard.press('ArrowRight');
  expect(Math.abs(end / 2 - (await moment()))).toBeLessThan(0.01);

  /** How many seconds of the session pass in one of the page's, over some frames. */
  const pace = () =>
    page.evaluate(async () => {
      const moment = document.querySelector<HTMLInputElement>('input[aria-label="Moment"]');
      const frame = () => new Promise<[number, number]>((told) => requestAnimationFrame((time) => told([time, Number(moment?.value)])));
      await frame();
      const [from, first] = await frame();
      let [to, last] = [from, first];
      while (to - from < 500) [to, last] = await frame();
      return ((last - first) * 1000) / (to - from);
    });
  const speed = (word: string) => page.getByRole('button', { name: word, exact: true });
  await page.getByLabel('Moment').fill('0');
  await page.getByRole('button', { name: 'Play' }).click();
  const once = await pace();
  await speed('8×').click();
  await expect(speed('8×')).toHaveAttribute('aria-pressed', 'true');
  const eightfold = await pace();
  await expect(page.getByRole('button', { name: 'Pause' })).toBeVisible(); // it did not run into the end
  expect(Math.round((eightfold / once) * 2) / 2, `${once} and ${eightfold}`).toBe(8);
  await page.getByRole('button', { name: 'Pause' }).click();
  const stood = await moment();
  expect(await pace()).toBe(0);
  expect(await moment()).toBe(stood);
  await page.getByRole('button', { name: 'Play' }).click();
  await both('remote-player');
  await accessible(page, 'player');
});

test('a process is found and ended', async () => {
  const victim = spawn('sleep', ['4242'], { stdio: 'ignore' });
  const gone = new Promise<NodeJS.Signals | null>((done) => victim.once('exit', (_, signal) => done(signal)));
  await openTab('processes');
  await page.getByRole('button', { name: 'Manage live' }).click();
  await proveIfAsked(page.getByRole('table', { name: 'Processes' }));
  await look(page, 'remote-processes');
  await page.getByLabel('Filter processes', { exact: true }).last().fill('sleep 4242');
  const row = page.getByRole('row').filter({ hasText: 'sleep 4242' });
  await expect(row).toHaveCount(1);
  await row.getByRole('button', { name: 'Actions on sleep' }).click();
  await page.getByRole('menuitem', { name: 'End at once' }).click();
  await expect(page.getByRole('dialog')).toContainText('sleep 4242');
  await page.getByRole('dialog').getByRole('button', { name: 'End at once' }).click();
  expect(await gone).toBe('SIGKILL');
  await expect(row).toHaveCount(0);
  await accessible(page, 'processes');
});

test('processes are a tree with their ports; a priority is changed, and one ends with all that it began', async () => {
  const listens = createServer().listen(0, '127.0.0.1');
  await new Promise((ready) => listens.once('listening', ready));
  const port = (listens.address() as AddressInfo).port;
  const filter = page.getByLabel('Filter processes', { exact: true }).last();
  await filter.fill(`:${port}`);
  const listener = page.getByRole('row').filter({ hasText: `tcp:${port}` });
  await expect(listener).toContainText(String(process.pid));
  await expect(listener).toContainText('root');
  await expect(listener).toContainText(/\d %/);
  await expect(listener).toContainText(/[KM]i?B/);
  listens.close();

  const parent: ChildProcess = spawn('sh', ['-c', 'sleep 5151 & sleep 5252 & wait; : parent-of-both'], { stdio: 'ignore' });
  const gone = new Promise<NodeJS.Signals | null>((done) => parent.once('exit', (_, signal) => done(signal)));
  const pid = parent.pid ?? 0;
  await filter.fill('parent-of-both');
  const row = page.getByRole('row').filter({ hasText: 'parent-of-both' });
  await row.getByRole('button', { name: 'Actions on sh' }).click();
  await page.getByRole('menuitem', { name: 'Priority' }).click();
  await page.getByRole('dialog').getByRole('radio', { name: /^Lower/ }).check();
  await page.getByRole('dialog').getByRole('button', { name: 'Set priority' }).click();
  await expect.poll(() => ofProcess(pid, 'ni')).toBe('10');
  await filter.fill('');
  const fold = page.locator(`tr[data-pid="${pid}"]`).getByRole('button', { name: 'Hide the 2 that sh began' });
  await fold.click();
  await expect(page.locator(`tr[data-pid="${pid}"]`)).toContainText('+2');
  await page.locator(`tr[data-pid="${pid}"]`).getByRole('button', { name: 'Actions on sh' }).click();
  await page.getByRole('menuitem', { name: 'End with all that it began' }).click();
  await expect(page.getByRole('dialog')).toContainText('With it 2 processes');
  await page.getByRole('dialog').getByRole('button', { name: 'End all of them' }).click();
  expect(await gone).toBe('SIGKILL');
  await filter.fill('sleep 5');
  await expect(page.getByRole('row').filter({ hasText: /sleep 5(151|252)/ })).toHaveCount(0);
});

test('a machine without systemd says so, and its packages are listed', async () => {
  await page.goto(`${place.url}/devices/${screen}?tab=software`);
  await page.getByRole('button', { name: 'Look live' }).click();
  await proveIfAsked(connected());
  const packages = page.getByRole('table', { name: 'Packages' });
  await expect(packages).toBeVisible({ timeout: 90_000 });
  await both('remote-software');
  await page.getByLabel('Filter software').last().fill('libc6');
  const version = execFileSync('dpkg-query', ['--show', '--showformat=${Version}', 'libc6'], { encoding: 'utf8' });
  const libc = packages.getByRole('row').filter({ has: page.getByRole('cell', { name: 'libc6', exact: true }) });
  await expect(libc.getByRole('cell').nth(1)).toHaveText(version);
  await page.getByRole('button', { name: 'Signed in', exact: true }).click();
  await expect(page.getByText('Nobody is signed in', { exact: true })).toBeVisible();
  await expect(page.getByText('Neither at the machine nor over the network.')).toBeVisible();
  const says = page.getByRole('alert').locator('p');
  const tab = async (word: RegExp) => page.getByRole('navigation').getByRole('link', { name: word }).click();
  await tab(/^Services/);
  await expect(says).toHaveText('This machine has no systemd. Its services cannot be listed or changed from here. Use a terminal. no_service_manager');
  await look(page, 'remote-services');
  await tab(/^Logs/);
  await expect(says).toHaveText('This machine has no journal. Look for its log files under Files, in /var/log. no_journal');
});

test('the rules of the tenant hold for the next session: nobody is at this machine, and silence is no', async () => {
  const said = page.getByText('Rules for remote sessions changed');
  const change = async () => {
    await page.getByRole('button', { name: 'Change rules' }).click();
    expect(await proveIfAsked(said)).toBe('by a code');
  };
  await page.goto(`${place.url}/security/remote`);
  await page.getByLabel('Terminal: the person at the machine').selectOption({ label: 'Asked first' });
  await page.getByLabel('Terminal: time to answer').selectOption({ label: '10 s' });
  await page.getByLabel('Copied text goes both ways').uncheck();
  await accessible(page, 'remote-rules');
  await both('remote-rules');
  await change();
  await openTab('terminal');
  await page.getByRole('button', { name: 'Open a terminal' }).click();
  await proveIfAsked(page.locator('.term__end'));
  await expect(page.locator('.term__end')).toContainText('did not agree');
  await page.goto(`${place.url}/audit`);
  await expect(page.getByText('changed what is recorded and asked in remote sessions').first()).toBeVisible();
  await page.goto(`${place.url}/security/remote`);
  await expect(page.getByLabel('Copied text goes both ways')).not.toBeChecked();
  await page.getByLabel('Terminal: the person at the machine').selectOption({ label: 'Told nothing' });
  await page.getByLabel('Files: recorded').selectOption({ label: 'The opener decides' });
  await change();
});

test('where the rules leave it open, whoever opens a session says that it is not recorded', async () => {
  await openTab('files');
  await page.reload();
  const record = page.getByLabel('Record what is asked and done');
  await expect(record).toBeChecked();
  await both('remote-choice');
  await record.uncheck();
  await page.getByRole('button', { name: 'Open files' }).click();
  await proveIfAsked(connected());
  await expect(page.locator('.sessionbar')).toContainText('Not recorded');
  await page.getByRole('button', { name: 'End session' }).click();
  await page.getByRole('button', { name: 'End it?' }).click();
  await page.goto(`${place.url}/sessions?state=ended`);
  await page.getByRole('row').filter({ hasText: 'Files' }).getByRole('link').first().click();
  await expect(page.getByText('none: neither the rules nor whoever opened it wanted one')).toBeVisible();
});

test('what runs anywhere is found, and a script goes to exactly those devices', async () => {
  await writeScript(page, place, { name: 'look', text: 'uptime\n' });
  await page.goto(`${place.url}/search`);
  await page.getByLabel('Name', { exact: true }).fill('libc6');
  const table = page.getByRole('table', { name: 'What was found' });
  await expect(table).toContainText('screen-01');
  await page.getByLabel('Version to compare with').fill('0.1');
  await page.getByLabel('Version to compare with').press('Enter');
  await expect(page.getByText('No device has it')).toBeVisible();
  await page.getByLabel('Version', { exact: true }).selectOption('gt');
  await expect(table).toContainText('screen-01');
  await both('search');
  const exported = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Export' }).click();
  expect(readFileSync(await (await exported).path(), 'utf8')).toMatch(/screen-01.*libc6|libc6.*screen-01/);
  await accessible(page, 'search');

  // What began after the devices spoke last is found once they are asked.
  const late = createServer().listen(0, '127.0.0.1');
  await new Promise((listens) => late.once('listening', listens));
  const port = String((late.address() as AddressInfo).port);
  await page.getByRole('button', { name: 'Ports' }).click();
  await page.getByLabel('Name', { exact: true }).fill(port);
  await expect(page.getByText('No device has it')).toBeVisible();
  await page.getByRole('button', { name: 'Ask them now' }).click();
  await expect(page.getByText('2 devices asked')).toBeVisible();
  await expect(table).toContainText(port, { timeout: 60_000 });
  await look(page, 'search-live');
  late.close();

  // A program that runs on one of the two: the other sees no processes but its own.
  const program = join(place.folder, 'onlyhere');
  copyFileSync('/bin/sleep', program);
  const running = spawn(program, ['900'], { stdio: 'ignore' });
  await page.getByRole('button', { name: 'Processes' }).click();
  await page.getByLabel('Name', { exact: true }).fill('onlyhere');
  await expect(page.getByText('No device has it')).toBeVisible();
  await page.getByRole('button', { name: 'Ask them now' }).click();
  await expect(table).toContainText('onlyhere', { timeout: 60_000 });
  await expect(table.getByRole('link')).toHaveCount(1);
  await page.getByRole('button', { name: 'Run a script on them' }).click();
  const chosen = page.getByRole('list', { name: 'Chosen devices' }).getByRole('listitem');
  await expect(chosen).toHaveCount(1);
  await expect(chosen).not.toContainText('screen-01');
  await page.getByLabel('Script', { exact: true }).selectOption({ label: 'look · v1' });
  await page.getByRole('button', { name: / on 1 device$/ }).click();
  await proveIfAsked(page.getByText('1 of 1 finished'));
  running.kill();
  const jobs = async (of: string) => {
    await page.goto(`${place.url}/devices/${of}?tab=jobs`);
    return page.getByRole('table', { name: 'Jobs' }).getByRole('row').filter({ hasText: 'look' });
  };
  await expect(await jobs(device)).toHaveCount(1);
  await jobs(screen);
  await expect(page.getByText('No job ran here yet')).toBeVisible();
});

test('nothing was blocked by the policy and nothing threw', () => {
  expect(faults).toEqual([]);
});
