import { createHash, randomBytes } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, type Locator, test } from '@playwright/test';
import { faults, moveIn, page, place } from './support/office.js';
import { both, connected, deviceId, enrol, proveIfAsked } from './support/remote.js';
import { accessible, look } from './support/steps.js';

/** Files of one real agent, with a cable between browser and server. */
moveIn(() => ({ cabled: true }));

let device: string;

test.beforeAll(async () => {
  await enrol(place.agent('web'));
  device = await deviceId((links) => links);
});

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
  writeFileSync(join(place.folder, 'big.bin'), big);
  await page.getByLabel('Files to upload').setInputFiles(join(place.folder, 'big.bin'));
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
  await expect(transfer('huge.bin')).toContainText('Waits for the connection');
  await expect(transfer('huge.bin')).not.toContainText('left');
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

test('a download goes on where its link was cut, and where its session was lost', async () => {
  test.setTimeout(500_000);
  const [MiB, size] = [1024 * 1024, 64 * 1024 * 1024];
  const steady = randomBytes(size);
  writeFileSync(join(place.folder, 'share', 'steady.bin'), steady);
  await page.reload();
  await page.getByRole('button', { name: 'Open files' }).click();
  await proveIfAsked(connected());
  await page.evaluate(() => Object.defineProperty(window, 'showSaveFilePicker', { value: undefined }));
  const transfer = page.getByRole('region', { name: 'Transfers' }).getByRole('listitem').filter({ hasText: 'steady.bin' }).last();
  const moved = async () => Number(await transfer.getByRole('progressbar').getAttribute('aria-valuenow'));
  const begin = async () => {
    const before = place.cable?.carried ?? 0;
    place.cable?.cutAfter(size / 3);
    const saved = page.waitForEvent('download', { timeout: 300_000 });
    await menu('steady.bin', /Download/);
    await expect(page.locator('.sessionbar').getByText('Reconnecting').first()).toBeVisible({ timeout: 60_000 });
    await expect(transfer).toHaveAttribute('data-state', 'moving');
    return { saved, stood: await moved(), carried: () => (place.cable?.carried ?? 0) - before };
  };

  const first = await begin();
  expect(first.stood).toBeGreaterThan(MiB);
  expect(first.stood).toBeLessThan(size / 2);
  place.cable?.mend();
  await expect(transfer).toHaveAttribute('data-state', 'done', { timeout: 200_000 });
  await expect(transfer).toContainText('checksum fits');
  expect(sha256(readFileSync(await (await first.saved).path()))).toBe(sha256(steady));
  expect(first.carried()).toBeLessThan(size + 8 * MiB); // what had come did not come again

  // The device loses its power meanwhile: the session is over, what came of the file is not.
  const second = await begin();
  await place.powerCut('web');
  place.agent('web');
  place.cable?.mend();
  await expect(transfer).toHaveAttribute('data-state', 'failed', { timeout: 120_000 });
  expect(await moved()).toBeGreaterThanOrEqual(second.stood);
  await expect(page.getByRole('button', { name: 'Open again' })).toBeEnabled({ timeout: 60_000 });
  await page.getByRole('button', { name: 'Open again' }).click();
  await proveIfAsked(connected());
  await transfer.getByRole('button', { name: 'Go on' }).click();
  await expect(transfer).toHaveAttribute('data-state', 'done', { timeout: 200_000 });
  expect(sha256(readFileSync(await (await second.saved).path()))).toBe(sha256(steady));
  expect(second.carried()).toBeLessThan(size + 8 * MiB);
  rmSync(join(place.folder, 'share', 'steady.bin'));
});

test('an upload that failed goes on where it stood: what the device has does not come again', async () => {
  test.setTimeout(500_000);
  const [MiB, size] = [1024 * 1024, 64 * 1024 * 1024];
  const [source, there] = [join(place.folder, 'rising.bin'), join(place.folder, 'share', 'rising.bin')];
  const rising = randomBytes(size);
  writeFileSync(source, rising);
  writeFileSync(there, 'what was there before\n');
  const transfer = page.getByRole('region', { name: 'Transfers' }).getByRole('listitem').filter({ hasText: 'rising.bin' }).last();
  const moved = async () => Number(await transfer.getByRole('progressbar').getAttribute('aria-valuenow'));
  /** How much of its bar is drawn. */
  const filled = () => transfer.getByRole('progressbar').evaluate((bar) => (bar.firstElementChild?.getBoundingClientRect().width ?? 0) / bar.getBoundingClientRect().width);
  await page.getByRole('button', { name: 'Load again' }).click();
  await expect(row('rising.bin')).toBeVisible();
  await page.getByLabel('Files to upload').setInputFiles(source);
  await page.getByRole('button', { name: 'Replace', exact: true }).click();
  await expect(transfer).toHaveAttribute('data-state', 'moving', { timeout: 120_000 });
  await expect.poll(moved, { timeout: 60_000, intervals: [50] }).toBeGreaterThan(16 * MiB);
  await expect(transfer).toContainText(/MiB\/s/);
  await place.powerCut('web'); // half of the file lies on the device
  await expect(transfer).not.toContainText(/MiB\/s/); // nothing comes: nothing is said about how fast
  expect(Math.abs((await filled()) - (await moved()) / size)).toBeLessThan(0.02);
  place.agent('web'); // the session is over
  await expect(transfer).toHaveAttribute('data-state', 'failed', { timeout: 120_000 });
  await expect(transfer.getByRole('alert')).toContainText(/\w/);
  await look(page, 'remote-upload-failed');
  const stood = await moved();
  expect(stood).toBeLessThan(size);
  expect(readFileSync(there, 'utf8')).toBe('what was there before\n');
  await expect(page.getByRole('button', { name: 'Open again' })).toBeEnabled({ timeout: 60_000 });
  await page.getByRole('button', { name: 'Open again' }).click();
  await proveIfAsked(connected());
  const before = place.cable?.given ?? 0;
  await transfer.getByRole('button', { name: 'Go on' }).click();
  await expect(transfer).toHaveAttribute('data-state', 'done', { timeout: 200_000 });
  await expect(transfer).toContainText('checksum fits');
  expect(await filled()).toBeGreaterThan(0.99);
  expect(sha256(readFileSync(there))).toBe(sha256(rising));
  expect((place.cable?.given ?? 0) - before).toBeLessThan(size - 8 * MiB);
  for (const file of [source, there]) rmSync(file);
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

const menu = async (name: string, word: RegExp) => {
  await page.getByRole('button', { name: `Actions on ${name}` }).click();
  await page.getByRole('menuitem', { name: word }).click();
};
const row = (name: string) => page.getByRole('table', { name: /Files in/ }).getByRole('row').filter({ hasText: name });

test('what is dropped on the list is uploaded', async () => {
  const carried = await page.evaluateHandle(() => {
    const transfer = new DataTransfer();
    transfer.items.add(new File(['dropped here\n'], 'dropped.txt', { type: 'text/plain' }));
    return transfer;
  });
  const list = page.locator('.files');
  await list.dispatchEvent('dragenter', { dataTransfer: carried });
  await expect(page.getByText('Drop to upload into')).toBeVisible();
  await list.dispatchEvent('drop', { dataTransfer: carried });
  await expect(row('dropped.txt')).toBeVisible();
  await expect.poll(() => readFileSync(join(place.folder, 'share', 'dropped.txt'), 'utf8')).toBe('dropped here\n');
  await expect(page.getByText('Drop to upload into')).toHaveCount(0);
});

test('a whole folder goes up with all that is in it', async () => {
  const folder = join(place.folder, 'album');
  mkdirSync(join(folder, '2026', 'may'), { recursive: true });
  writeFileSync(join(folder, 'cover.txt'), 'cover\n');
  writeFileSync(join(folder, '2026', 'may', 'first.txt'), 'first\n');
  await page.getByLabel('Folder to upload').setInputFiles(folder);
  const there = join(place.folder, 'share', 'album');
  const read = (path: string) => (existsSync(join(there, path)) ? readFileSync(join(there, path), 'utf8') : '');
  await expect.poll(() => [read('cover.txt'), read('2026/may/first.txt')], { timeout: 60_000 }).toEqual(['cover\n', 'first\n']);
  await expect(row('album')).toBeVisible();
});

test('a folder that is dropped goes up with all that is in it, more than a browser lists at once', async () => {
  const folder = join(place.folder, 'roll');
  mkdirSync(join(folder, 'negatives'), { recursive: true });
  const names = Array.from({ length: 101 }, (_, at) => `${at}.txt`);
  for (const name of names) writeFileSync(join(folder, 'negatives', name), `${name}\n`);
  writeFileSync(join(folder, 'label.txt'), 'a roll\n');
  const list = await page.locator('.files').boundingBox();
  const cdp = await page.context().newCDPSession(page);
  const [x, y] = [(list?.x ?? 0) + 200, (list?.y ?? 0) + 100];
  const drag = (type: 'dragEnter' | 'dragOver' | 'drop') => cdp.send('Input.dispatchDragEvent', { type, x, y, data: { items: [], files: [folder], dragOperationsMask: 1 } });
  await drag('dragEnter');
  await expect(page.getByText('Drop to upload into')).toBeVisible();
  await drag('dragOver');
  await drag('drop');
  const there = join(place.folder, 'share', 'roll');
  const arrived = () => names.filter((name) => existsSync(join(there, 'negatives', name)) && readFileSync(join(there, 'negatives', name), 'utf8') === `${name}\n`).length;
  await expect.poll(arrived, { timeout: 120_000 }).toBe(101);
  await expect.poll(() => existsSync(join(there, 'label.txt'))).toBe(true);
  await expect(row('roll')).toBeVisible();
});

test('what is dragged out of the list is downloaded, or moved into a folder', async () => {
  const fetching = page.getByText('Drop here to download');
  const handle = (name: string) => row(name).getByRole('cell').first();
  /** Where the mouse lets go of a row: real drags, that the browser itself begins. */
  const carry = async (name: string, onto: Locator, see: () => Promise<void> = async () => {}) => {
    await handle(name).hover();
    await page.mouse.down();
    await page.mouse.move(500, 500, { steps: 4 });
    await expect(fetching).toBeVisible();
    const { x, y, width, height } = (await onto.boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 };
    // The first move enters it, and only the next one is over it.
    for (const by of [0, 1, 2]) await page.mouse.move(x + width / 2 + by, y + height / 2);
    await see();
    await page.mouse.up();
    await expect(fetching).toHaveCount(0);
  };
  const down = page.waitForEvent('download');
  await carry('dropped.txt', fetching, async () => {
    await expect(page.locator('.files__fetch')).toHaveAttribute('data-onto', '');
    await look(page, 'remote-drag-out');
  });
  expect((await down).suggestedFilename()).toBe('dropped.txt');
  expect(readFileSync(await (await down).path(), 'utf8')).toBe('dropped here\n');

  await page.evaluate(() => Object.defineProperty(window, 'showSaveFilePicker', { value: undefined }));
  const tar = page.waitForEvent('download');
  await carry('album', fetching);
  expect((await tar).suggestedFilename()).toBe('album.tar');
  expect(execFileSync('tar', ['--to-stdout', '--extract', '--file', await (await tar).path(), '--wildcards', '*cover.txt']).toString()).toBe('cover\n');

  // On a file it does nothing; on a folder it moves there, but replaces nothing.
  const share = join(place.folder, 'share');
  await carry('dropped.txt', row('notes.sh'));
  await expect(row('dropped.txt')).toBeVisible();
  writeFileSync(join(share, 'album', 'dropped.txt'), 'another of that name\n');
  await carry('dropped.txt', row('album'), () => expect(row('album')).toHaveAttribute('data-onto', ''));
  await expect(page.getByRole('alert')).toContainText('exists');
  expect(readFileSync(join(share, 'album', 'dropped.txt'), 'utf8')).toBe('another of that name\n');
  rmSync(join(share, 'album', 'dropped.txt'));
  await carry('dropped.txt', row('album'));
  await expect(row('dropped.txt')).toHaveCount(0);
  expect(readFileSync(join(share, 'album', 'dropped.txt'), 'utf8')).toBe('dropped here\n');
  renameSync(join(share, 'album', 'dropped.txt'), join(share, 'dropped.txt'));
  await page.getByRole('button', { name: 'Load again' }).click();
  await expect(row('dropped.txt')).toBeVisible();
});

test('the room that a folder takes is counted', async () => {
  writeFileSync(join(place.folder, 'share', 'album', 'large.bin'), randomBytes(2 * 1024 * 1024));
  await menu('album', /Room that it takes/);
  const told = page.getByRole('dialog');
  await expect(told).toContainText('3 files in');
  await expect(told).not.toContainText('still counting');
  await expect(told.locator('.big')).toContainText(/^2\.\d* MiB|^2 MiB|^2\.\d* MB/);
  await told.getByRole('button', { name: 'Close' }).click();
});

test('a file gets another name, another place and other permissions', async () => {
  const share = join(place.folder, 'share');
  await menu('dropped.txt', /Rename or move/);
  await page.getByRole('dialog').getByLabel(/New name/).fill('renamed.txt');
  await page.getByRole('dialog').getByRole('button', { name: 'Rename' }).click();
  await expect(row('renamed.txt')).toBeVisible();
  expect(existsSync(join(share, 'dropped.txt'))).toBe(false);
  await menu('renamed.txt', /Permissions and owner/);
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Octal').fill('0640');
  await expect(dialog.getByLabel('Everybody may read')).not.toBeChecked();
  await dialog.getByRole('button', { name: 'Change' }).click();
  await expect(row('renamed.txt')).toContainText('rw-r-----');
  expect(statSync(join(share, 'renamed.txt')).mode & 0o7777).toBe(0o640);
  await menu('renamed.txt', /Rename or move/);
  await page.getByRole('dialog').getByLabel(/New name/).fill(join(share, 'album', 'moved.txt'));
  await page.getByRole('dialog').getByRole('button', { name: 'Move' }).click();
  await expect(row('renamed.txt')).toHaveCount(0);
  expect(readFileSync(join(share, 'album', 'moved.txt'), 'utf8')).toBe('dropped here\n');
});

test('nothing was blocked by the policy and nothing threw', () => {
  expect(faults).toEqual([]);
});
