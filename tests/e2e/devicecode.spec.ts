import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { PROGRAMS, until } from './support/installation.js';
import { code, faults, moveIn, page, place } from './support/office.js';
import { Passkeys } from './support/passkeys.js';
import { keep, seen } from './support/pictures.js';
import { authorize, OWNER } from './support/steps.js';

/** The command line signs in by a code that is typed into the console: the real program, the real console, a passkey. */
moveIn();

const kept = () => join(place.folder, 'session.json');
const surroundings = () => ({ ...process.env, SALLYPORT_SESSION: kept(), SALLYPORT_PASSWORD: '', DBUS_SESSION_BUS_ADDRESS: '' });

interface Running {
  said: () => string;
  ended: Promise<number | null>;
}

function begin(args: string[]): Running {
  const child: ChildProcessWithoutNullStreams = spawn(join(PROGRAMS, 'sallyport'), args, { env: surroundings() });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece: Buffer) => (said += piece.toString()));
  const ended = new Promise<number | null>((done) => child.once('close', (status) => done(status)));
  return { said: () => said, ended };
}

const sallyport = (args: string[], input = '') =>
  spawnSync(join(PROGRAMS, 'sallyport'), args, { encoding: 'utf8', env: surroundings(), timeout: 60_000, input });

/** `sallyport login --device`, up to the code that it shows. */
async function login(): Promise<Running & { code: string }> {
  const running = begin(['login', place.url, '--device']);
  const shown = await until('the code', () => /^ {2}([A-Z]{4}-[A-Z]{4})$/m.exec(running.said())?.[1]);
  expect(running.said()).toContain(`${place.url}/device\n`);
  return { ...running, code: shown };
}

const field = () => page.getByLabel('Code', { exact: true });

/** The page's own field has the focus: what a person types goes there, with no click. */
async function enter(typed: string): Promise<void> {
  await page.goto(`${place.url}/device`);
  await expect(field()).toBeFocused();
  await page.keyboard.type(typed);
  await page.keyboard.press('Enter');
}

const panel = () => page.getByRole('dialog', { name: 'Authorize' });

/** The page as it is now, in both themes and widths. */
const looks = async (name: string) => expect(await seen(page, name)).toEqual([]);

test('OA-22 A18 there is nothing until somebody switches it on, and the console says what that risks', async () => {
  const off = sallyport(['login', place.url, '--device']);
  expect(off.status).toBe(2);
  expect(off.stderr).toContain('this server lets no program in by a device code');
  await page.goto(`${place.url}/security/mfa`);
  const choice = page.getByRole('radio', { name: /^Also by a code/ });
  await expect(page.getByText(/can talk one of you into typing a code/)).toBeVisible();
  await expect(choice).not.toBeChecked();
  await choice.check();
  await looks('device-codes-setting');
  await page.getByRole('button', { name: 'Change policy' }).click();
  await expect(panel()).toContainText('device code');
  await authorize(page, code, 'device-codes');
  await expect(choice).toBeChecked();
});

test('OA-22 who has no passkey lets nobody in, and is told what to do', async () => {
  const waiting = await login();
  await page.goto(`${place.url}/device`);
  await field().pressSequentially(waiting.code);
  await page.keyboard.press('Enter');
  await expect(page.getByRole('alert')).toContainText('add one on your profile page');
  await looks('device-code-no-passkey');
});

test('OA-21 a code is typed by keyboard alone; a wrong one says so and stays', async () => {
  await Passkeys.on(page);
  await page.goto(`${place.url}/profile`);
  await page.getByRole('button', { name: 'Passkey', exact: true }).click();
  await page.getByLabel('Name').fill('Laptop');
  await page.getByRole('dialog').getByLabel(/code/i).fill(await code());
  await expect(page.locator('.factor').filter({ hasText: 'Laptop' })).toBeVisible();
  await page.goto(`${place.url}/device`);
  await expect(field()).toBeFocused();
  await page.keyboard.type('zzzz zzza1z');
  await expect(field()).toHaveValue('ZZZZ-ZZZZ');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('alert')).toContainText('No program waits under this code');
  await looks('device-code-wrong');
});

test('OA-22 a person sees what asks, lets it in with a passkey, and it shows as what it is', async () => {
  const waiting = await login();
  await page.goto(`${place.url}/device`);
  await looks('device-code-typed');
  await enter(waiting.code.toLowerCase());
  await expect(page.getByRole('heading', { name: 'Let this program in?' })).toBeVisible();
  await expect(page.getByText('Only go on if you started this yourself, just now, on a computer that you have before you.')).toBeVisible();
  await expect(page.getByText(/^sallyport \S+ on /)).toBeVisible();
  await keep(page, 'device-code');
  await looks('device-code-asks');
  await page.getByRole('button', { name: 'Let it in with your passkey' }).click();
  await expect(page.getByRole('heading', { name: 'Let in' })).toBeVisible();
  expect(await waiting.ended, waiting.said()).toBe(0);
  expect(waiting.said()).toContain(OWNER.email);
  expect(JSON.parse(readFileSync(kept(), 'utf8')).cookie, 'no cookie, but a token').toBeUndefined();
  expect(sallyport(['whoami']).stdout).toContain('let in by a device code');
  await page.goto(`${place.url}/profile`);
  const row = page.getByRole('listitem').filter({ hasText: 'By device code' });
  await expect(row).toContainText(/sallyport \S+ on /);
  await looks('profile-device-code');
});

test('OA-22 it proves nothing: what it asks for waits until its person proves it in the browser', async () => {
  const refused = sallyport(['step-up', '--code-stdin'], `${await code()}\n`);
  expect(refused.status).toBe(2);
  expect(refused.stderr).toContain('Prove it in a browser');
  const asking = begin(['policy', 'mfa', '--device-codes', 'no']);
  await until('where to go', () => (asking.said().includes(`${place.url}/approvals`) ? true : undefined));
  await page.goto(`${place.url}/approvals`);
  await page.getByRole('button', { name: 'Look and decide' }).click();
  await panel().getByRole('button', { name: 'Authorize with your passkey' }).click();
  await page.locator('[data-receipt-next]').click();
  expect(await asking.ended, asking.said()).toBe(0);
  expect(asking.said()).toContain('Holds from now on');
  // And so it is off again, for everybody.
  await enter('BCDFGHJK');
  await expect(page.getByRole('alert')).toContainText('does not let programs in by a code');
});

test('OA-21 no is one click, and the command says so', async () => {
  await page.goto(`${place.url}/security/mfa`);
  await page.getByRole('radio', { name: /^Also by a code/ }).check();
  await page.getByRole('button', { name: 'Change policy' }).click();
  await panel().getByRole('button', { name: 'Authorize with your passkey' }).click();
  await page.locator('[data-receipt-next]').click();
  const waiting = await login();
  await enter(waiting.code);
  await page.getByRole('button', { name: 'No', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Not let in' })).toBeVisible();
  await looks('device-code-denied');
  expect(await waiting.ended).toBe(2);
  expect(waiting.said()).toContain('somebody said no');
  expect(faults).toEqual([]);
});
