import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { PROGRAMS, until } from './support/installation.js';
import { faults, moveIn, owner, page, place } from './support/office.js';
import { keep } from './support/pictures.js';
import { accessible, look, OWNER, signIn } from './support/steps.js';

/** The command line signs in with the browser: the real program, the real console. */
moveIn();


const kept = () => join(place.folder, 'session.json');
const surroundings = () => ({ ...process.env, SALLYPORT_SESSION: kept(), SALLYPORT_PASSWORD: '', DBUS_SESSION_BUS_ADDRESS: '' });

function sallyport(args: string[], input = '') {
  return spawnSync(join(PROGRAMS, 'sallyport'), args, { encoding: 'utf8', env: surroundings(), timeout: 60_000, input });
}

interface Waiting {
  page: string;
  ended: Promise<{ status: number | null; said: string }>;
}

/** `sallyport login`, up to the address that it prints. */
async function login(): Promise<Waiting> {
  const child: ChildProcessWithoutNullStreams = spawn(join(PROGRAMS, 'sallyport'), ['login', place.url, '--no-open'], { env: surroundings() });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece: Buffer) => (said += piece.toString()));
  const ended = new Promise<{ status: number | null; said: string }>((done) => child.once('close', (status) => done({ status, said })));
  const shown = await until('the address', () => /^ {2}(http\S+)$/m.exec(said)?.[1]);
  return { page: shown, ended };
}

test('A18 OA-22 OA-23 a program is let in by the person who started it, and shows as what it is', async () => {
  const waiting = await login();
  await page.goto(waiting.page);
  await expect(page.getByRole('heading', { name: 'Let this program in?' })).toBeVisible();
  await expect(page.getByText(/^sallyport \S+ on /)).toBeVisible();
  await expect(page.getByText(/this computer, port \d+/)).toBeVisible();
  await accessible(page, 'authorize-program');
  await keep(page, 'program');
  await look(page, 'authorize-program');
  await page.getByRole('button', { name: 'Yes, let it in' }).click();
  const { status, said } = await waiting.ended;
  expect(status, said).toBe(0);
  expect(said).toContain(OWNER.email);
  await expect(page.getByText('You are signed in on the command line')).toBeVisible();
  expect(JSON.parse(readFileSync(kept(), 'utf8')).cookie, 'no cookie, but a token').toBeUndefined();
  expect(sallyport(['whoami']).stdout).toContain(OWNER.email);
  await page.goto(`${place.url}/profile`);
  const row = page.getByRole('listitem').filter({ hasText: 'Program' });
  await expect(row).toContainText(/sallyport \S+ on /);
  await look(page, 'profile-program');
});

test('what is revoked on the profile page is dead', async () => {
  const row = page.getByRole('listitem').filter({ hasText: 'Program' });
  await row.getByRole('button', { name: 'End', exact: true }).click();
  await row.getByRole('button', { name: 'End it' }).click();
  await expect(row).toHaveCount(0);
  const refused = sallyport(['whoami']);
  expect(refused.status).toBe(4);
  expect(refused.stderr).toContain('sallyport login');
});

test('who says no lets nobody in', async () => {
  const waiting = await login();
  await page.goto(waiting.page);
  await page.getByRole('button', { name: 'No', exact: true }).click();
  const { status, said } = await waiting.ended;
  expect(status, said).not.toBe(0);
  expect(said).toContain('you said no');
  await expect(page.getByText('You said no')).toBeVisible();
});

test('OA-23 a link that leads elsewhere lets nobody in and leads nowhere', async () => {
  const waiting = await login();
  const elsewhere = new URL(waiting.page);
  elsewhere.searchParams.set('redirect_uri', 'https://evil.example/callback');
  await page.goto(elsewhere.href);
  await expect(page.getByRole('heading', { name: 'This link does not work' })).toBeVisible();
  await expect(page.getByRole('button')).toHaveCount(1); // the theme's
  await page.goto(waiting.page);
  await page.getByRole('button', { name: 'No', exact: true }).click();
  await waiting.ended;
});

test('whoever is not signed in signs in first, and then sees what asks', async ({ browser }) => {
  const fresh = await browser.newContext();
  const other = await fresh.newPage();
  const waiting = await login();
  await other.goto(waiting.page);
  await expect(other.getByRole('heading', { name: 'Sign in' })).toBeVisible();
  await signIn(other, { code: await owner.authenticator.soon() });
  await expect(other.getByRole('heading', { name: 'Let this program in?' })).toBeVisible();
  await other.getByRole('button', { name: 'Yes, let it in' }).click();
  const { status, said } = await waiting.ended;
  expect(status, said).toBe(0);
  expect(sallyport(['logout']).status).toBe(0);
  expect(existsSync(kept())).toBe(false);
  await fresh.close();
  expect(faults).toEqual([]);
});
