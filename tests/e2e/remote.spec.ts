import { createHash, randomBytes } from 'node:crypto';
import { execFileSync, spawn } from 'node:child_process';
import { type AddressInfo, createServer } from 'node:net';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, type Locator, type Page, test } from '@playwright/test';
import { code, context, faults, moveIn, page, place } from './support/office.js';
import { keep } from './support/pictures.js';
import { accessible, approve, authorize, installer, look, watch, writeScript } from './support/steps.js';

/** One installation behind a cable, with two real agents. */
moveIn(() => ({ cabled: true, permissions: ['clipboard-read', 'clipboard-write'] }));

let device: string;
let screen: string;
/** What the screen showed in the end, as a person saved it. */
let seen: Buffer;

test.beforeAll(async () => {
  const file = await installer(page, place, 2, () => authorize(page, code, 'remote-installer'));
  for (const state of [place.agent('web'), place.desktop('screen-01')]) place.enrol(state, file);
  await approve(page, place, 2);
  await page.goto(`${place.url}/devices`);
  const idOf = async (link: Locator) => (await link.getAttribute('href'))?.split('/').at(-1) ?? '';
  const links = page.getByRole('table').getByRole('link');
  screen = await idOf(links.filter({ hasText: 'screen-01' }));
  device = await idOf(links.filter({ hasNotText: 'screen-01' }).first());
});

/** Where a step-up window is open, nothing is asked; where none is, the panel opens and takes a code. */
async function proveIfAsked(there: Locator, on: Page = page): Promise<'by a code' | 'at once'> {
  const field = on.locator('#gate-code');
  await expect(field.or(there).first()).toBeVisible();
  if (!(await field.isVisible())) return 'at once';
  await field.fill(await code());
  const receipt = on.locator('[data-receipt-next]');
  await expect(receipt.or(there).first()).toBeVisible();
  if (await receipt.isVisible()) await receipt.click();
  await expect(there.first()).toBeVisible();
  return 'by a code';
}

const openTab = async (key: string) => page.goto(`${place.url}/devices/${device}?tab=${key}`);
const connected = (on: Page = page) => on.locator('.sessionbar').getByText('Connected', { exact: true }).first();

const rows = (on: Page = page) => on.locator('[data-term] .xterm-rows');
const shows = (text: string | RegExp, on: Page = page) => expect.poll(async () => (await rows(on).innerText()).replaceAll('\u00a0', ' '), { timeout: 20_000 }).toMatch(text);

async function type(text: string, on: Page = page): Promise<void> {
  await on.locator('.xterm-helper-textarea').focus();
  await on.keyboard.type(text);
}

const line = (text: string, on: Page = page) => type(`${text}\n`, on);
/** A page's pictures in both themes, for people to look at, and for the guide. */
async function both(name: string, on: Page = page): Promise<void> {
  await keep(on, name);
  const flip = on.locator('.topbar').getByRole('button', { name: /dark|light/i });
  await look(on, `${name}-dark`);
  await flip.click();
  await look(on, `${name}-light`);
  await flip.click();
}

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

test('files go up and down, and both ends have the same checksum', async () => {
  const folder = join(place.folder, 'share');
  mkdirSync(folder);
  writeFileSync(join(folder, 'notes.sh'), '#!/bin/bash\n# a note\necho "hello"\n');
  await page.goto(`${place.url}/devices/${device}?tab=files&path=${encodeURIComponent(folder)}`);
  await page.getByRole('button', { name: 'Open files' }).click();
  await proveIfAsked(connected());
  const table = page.getByRole('table', { name: /Files in/ });
  await expect(table.getByText('notes.sh')).toBeVisible();

  const big = randomBytes(12 * 1024 * 1024);
  await page.getByLabel('Files to upload').setInputFiles([{ name: 'big.bin', mimeType: 'application/octet-stream', buffer: big }]);
  await expect(page.getByText('Done, checksum fits')).toBeVisible({ timeout: 60_000 });
  await expect(table.getByText('big.bin')).toBeVisible();
  expect(sha256(readFileSync(join(folder, 'big.bin')))).toBe(sha256(big));
  await both('remote-files');

  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Actions on big.bin' }).click();
  await page.getByRole('menuitem', { name: /Download/ }).click();
  const saved = await (await download).path();
  expect(sha256(readFileSync(saved))).toBe(sha256(big));
});

test('a hundred megabytes go up over a cut link and come down, with progress and the same checksum', async () => {
  test.setTimeout(500_000); // what an idle machine does in seconds takes minutes on one that builds meanwhile
  const folder = join(place.folder, 'share');
  const source = join(place.folder, 'huge.bin');
  const huge = randomBytes(100 * 1024 * 1024);
  writeFileSync(source, huge);
  const transfer = (name: string) => page.getByRole('region', { name: 'Transfers' }).getByRole('listitem').filter({ hasText: name }).last();
  const moved = async () => Number(await transfer('huge.bin').getByRole('progressbar').getAttribute('aria-valuenow'));
  await page.getByLabel('Files to upload').setInputFiles(source);
  await expect(transfer('huge.bin')).toHaveAttribute('data-state', 'moving', { timeout: 120_000 });
  await expect.poll(moved, { timeout: 60_000 }).toBeGreaterThan(8 * 1024 * 1024);
  place.cable?.cut();
  await expect(page.locator('.sessionbar').getByText('Reconnecting').first()).toBeVisible();
  const stood = await moved();
  expect(stood).toBeLessThan(huge.length);
  place.cable?.mend();
  await expect(transfer('huge.bin')).toHaveAttribute('data-state', 'done', { timeout: 200_000 });
  await expect(transfer('huge.bin')).toContainText('checksum fits');
  expect(sha256(readFileSync(join(folder, 'huge.bin')))).toBe(sha256(huge));

  // A browser would ask its person where so much goes; here it goes to memory.
  await page.evaluate(() => Object.defineProperty(window, 'showSaveFilePicker', { value: undefined }));
  const download = page.waitForEvent('download', { timeout: 200_000 });
  await page.getByRole('button', { name: 'Actions on huge.bin' }).click();
  await page.getByRole('menuitem', { name: /Download/ }).click();
  expect(sha256(readFileSync(await (await download).path()))).toBe(sha256(huge));
  for (const file of [source, join(folder, 'huge.bin')]) rmSync(file);
});

test('a whole folder comes as one tar', async () => {
  const folder = join(place.folder, 'share', 'tree');
  mkdirSync(join(folder, 'deep'), { recursive: true });
  writeFileSync(join(folder, 'deep', 'leaf.txt'), 'a leaf\n');
  await page.reload();
  await page.getByRole('button', { name: 'Open files' }).click();
  await proveIfAsked(connected());
  const download = page.waitForEvent('download');
  await page.evaluate(() => Object.defineProperty(window, 'showSaveFilePicker', { value: undefined }));
  await page.getByRole('button', { name: 'Actions on tree' }).click();
  await page.getByRole('menuitem', { name: /Download as tar/ }).click();
  const tar = await (await download).path();
  expect(execFileSync('tar', ['--to-stdout', '--extract', '--file', tar, '--wildcards', '*leaf.txt']).toString()).toBe('a leaf\n');
  rmSync(folder, { recursive: true });
});

test('a small text is previewed, edited and put in place as a whole', async () => {
  const folder = join(place.folder, 'share');
  await page.getByRole('button', { name: 'notes.sh', exact: true }).click();
  await expect(page.getByRole('region', { name: 'Beginning of notes.sh' })).toContainText('echo');
  await both('remote-preview');
  await page.getByRole('button', { name: 'Edit', exact: true }).click();
  await page.locator('.cm-content').click();
  await page.keyboard.press('Control+End');
  await page.keyboard.insertText('echo "and again"\n');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page.getByText('notes.sh saved')).toBeVisible();
  expect(readFileSync(join(folder, 'notes.sh'), 'utf8')).toBe('#!/bin/bash\n# a note\necho "hello"\necho "and again"\n');
});

test('an upload that would replace a file asks first, a folder is removed by its name alone', async () => {
  const folder = join(place.folder, 'share');
  await page.getByLabel('Files to upload').setInputFiles([{ name: 'notes.sh', mimeType: 'text/plain', buffer: Buffer.from('new\n') }]);
  await expect(page.getByRole('dialog')).toContainText('notes.sh');
  await page.getByRole('button', { name: 'Replace', exact: true }).click();
  await expect.poll(() => readFileSync(join(folder, 'notes.sh'), 'utf8')).toBe('new\n');
  await page.getByRole('button', { name: 'Folder', exact: true }).click();
  await page.getByRole('dialog').getByLabel('Name').fill('old');
  await page.getByRole('button', { name: 'Make folder' }).click();
  await expect.poll(() => existsSync(join(folder, 'old'))).toBe(true);
  await page.getByRole('button', { name: 'Actions on old' }).click();
  await page.getByRole('menuitem', { name: /Remove/ }).click();
  const remove = page.getByRole('dialog').getByRole('button', { name: 'Remove', exact: true });
  await expect(remove).toBeDisabled();
  await page.getByRole('dialog').getByLabel(/Type its name/).fill('old');
  await remove.click();
  await expect.poll(() => existsSync(join(folder, 'old'))).toBe(false);
  await accessible(page, 'files');
});

test('a terminal opens by a code of its own: the window serves one kind', async () => {
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

test('what the terminal shows is found', async () => {
  await page.keyboard.press('Control+Shift+F');
  await page.getByLabel('Find in this terminal').fill('pasted');
  await expect(page.locator('.find')).toContainText(/\d+ of \d+/);
  await page.keyboard.press('Escape');
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
  await page.getByLabel('Moment').fill('0');
  await page.getByRole('button', { name: 'Play' }).click();
  await expect(page.getByRole('button', { name: 'Pause' })).toBeVisible();
  await both('remote-player');
  await accessible(page, 'player');
});

test('a process is found and ended', async () => {
  const victim = spawn('sleep', ['4242'], { stdio: 'ignore' });
  const gone = new Promise<NodeJS.Signals | null>((done) => victim.once('exit', (_, signal) => done(signal)));
  await openTab('processes');
  await page.getByRole('button', { name: 'Manage live' }).click();
  await proveIfAsked(page.getByRole('table', { name: 'Processes' }));
  await both('remote-processes');
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

test('services say where there are none, and the list of packages is there', async () => {
  await page.getByRole('link', { name: /^Software/ }).click();
  await expect(page.getByRole('table', { name: 'Packages' })).toContainText('libc6', { timeout: 90_000 });
  await both('remote-software');
  await page.getByRole('link', { name: /^Services/ }).click();
  await expect(page.getByRole('table', { name: 'Services' }).or(page.getByText('This machine has no systemd')).first()).toBeVisible();
  await look(page, 'remote-services');
});

test('a screen is seen and worked at: keys reach the program that it shows', async () => {
  const proof = join(place.folder, 'typed-on-screen');
  await page.goto(`${place.url}/devices/${screen}?tab=screen`);
  await page.getByRole('button', { name: 'Take control' }).click();
  await proveIfAsked(connected());
  const canvas = page.locator('.screen__place canvas');
  await expect(canvas).toHaveAttribute('width', '1280'); // keys count from when the device said how large its screen is
  const box = await canvas.boundingBox();
  await page.mouse.click((box?.x ?? 0) + 120, (box?.y ?? 0) + 120);
  await page.keyboard.type(`echo seen-and-typed > ${proof}\n`, { delay: 15 });
  await expect.poll(() => (existsSync(proof) ? readFileSync(proof, 'utf8') : '')).toBe('seen-and-typed\n');
  await both('remote-screen');
  const picture = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Save a picture of the screen' }).click();
  seen = readFileSync(await (await picture).path());
  expect(seen.subarray(1, 4).toString()).toBe('PNG');
  expect([seen.readUInt32BE(16), seen.readUInt32BE(20)]).toEqual([1280, 800]);
  await accessible(page, 'screen');
});

test('a screen is opened again to watch only', async () => {
  await page.getByRole('button', { name: 'End session' }).click();
  await page.getByRole('button', { name: 'End it?' }).click();
  await expect(page.getByText('The session has ended')).toBeVisible();
  await page.reload();
  await page.getByRole('button', { name: 'Only watch' }).click();
  await proveIfAsked(connected());
  await expect(page.locator('.screen__place canvas')).toBeVisible();
  await expect(page.locator('.screen__bar')).toContainText('Watching');
});

/** How many pixels of two pictures differ visibly. */
async function differences(one: string, other: string): Promise<number> {
  const bench = await context.newPage();
  const count = await bench.evaluate(async (urls) => {
    const pixels = await Promise.all(urls.map(async (url) => {
      const image = new Image();
      image.src = url;
      await image.decode();
      const canvas = Object.assign(document.createElement('canvas'), { width: image.width, height: image.height });
      const paper = canvas.getContext('2d')!;
      paper.drawImage(image, 0, 0);
      return paper.getImageData(0, 0, image.width, image.height).data;
    }));
    let count = 0;
    for (let at = 0; at < pixels[0]!.length; at += 4) if ([0, 1, 2].some((part) => Math.abs(pixels[0]![at + part]! - pixels[1]![at + part]!) > 48)) count++;
    return count;
  }, [one, other]);
  await bench.close();
  return count;
}

test('the recording of a screen is played and sought through, and ends with what was seen', async () => {
  await page.goto(`${place.url}/sessions?state=ended`);
  await page.getByRole('row').filter({ hasText: 'Screen' }).getByRole('link').first().click();
  await expect(page.getByText('Digest fits')).toBeVisible();
  const film = page.locator('.player__film');
  const moment = page.getByLabel('Moment');
  const picture = () => film.locator('.screen__host:not([style*="hidden"]) canvas').evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL());
  await expect(film).toHaveAttribute('data-shown', '0');
  const beginning = await picture();
  await moment.press('End');
  await expect(film).toHaveAttribute('data-shown', (await moment.getAttribute('max')) ?? '');
  const live = `data:image/png;base64,${seen.toString('base64')}`;
  await expect.poll(async () => differences(await picture(), live), { timeout: 20_000 }).toBeLessThan(400); // the cursor of a terminal is hollow without a pointer
  expect(await differences(beginning, await picture())).toBeGreaterThan(800);
  await both('remote-film');
  await accessible(page, 'film');
  await moment.fill('0');
  await expect(film).toHaveAttribute('data-shown', '0');
  await expect.poll(picture).toBe(beginning);
  await page.getByRole('button', { name: 'Play' }).click();
  await expect.poll(async () => Number(await moment.inputValue())).toBeGreaterThan(0.5);
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
  await page.getByLabel('Name', { exact: true }).fill('libc6');
  await page.getByRole('button', { name: 'Software' }).click();
  await expect(table).toContainText('screen-01');
  await page.getByRole('button', { name: 'Run a script on them' }).click();
  await expect(page.locator('main')).toContainText('screen-01');
});

test('nothing was blocked by the policy and nothing threw', () => {
  expect(faults).toEqual([]);
});
