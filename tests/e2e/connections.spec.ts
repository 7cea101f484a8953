import { spawn } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { PROGRAMS } from './support/installation.js';
import { code, faults, moveIn, owner, page, place } from './support/office.js';
import { keep } from './support/pictures.js';
import { accessible, authorize, look, OWNER } from './support/steps.js';

/** A connection to another vendor's API from the first empty page to its end, with a vendor on this machine. */
moveIn(() => ({ env: { SALLYPORT_OUTBOUND_NETWORKS: '127.0.0.0/8', SALLYPORT_OUTBOUND_HTTP: 'listed', SALLYPORT_LOG: 'trace' } }));

const SECRET = 'Kx7-vendor-credential-Qz2';

let vendor: Server;
let takes = SECRET;
let address = '';

test.beforeAll(async () => {
  vendor = createServer((request, response) => {
    let body = '';
    request.on('data', (piece: Buffer) => (body += piece.toString()));
    request.on('end', () => {
      const good = request.headers['authorization'] === `Bearer ${takes}`;
      if (good && request.url === '/api/keys') takes = JSON.parse(body).key;
      const status = !good ? 401 : request.url === '/api/tickets/404' ? 404 : 200;
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ path: request.url }));
    });
  });
  await new Promise<void>((done) => vendor.listen(0, '127.0.0.1', done));
  const bound = vendor.address();
  address = `http://127.0.0.1:${typeof bound === 'object' && bound ? bound.port : 0}/api`;
});

test.afterAll(async () => {
  vendor.close();
});

/** The command line; the vendor, in this very process, answers meanwhile. */
async function sallyport(args: string[], input = ''): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const env = { ...process.env, SALLYPORT_SESSION: join(place.folder, 'session.json'), SALLYPORT_PASSWORD: OWNER.password };
  const child = spawn(join(PROGRAMS, 'sallyport'), args, { env, timeout: 60_000 });
  const said = { stdout: '', stderr: '' };
  child.stdout.on('data', (piece: Buffer) => (said.stdout += piece.toString()));
  child.stderr.on('data', (piece: Buffer) => (said.stderr += piece.toString()));
  child.stdin.end(input);
  const status = await new Promise<number | null>((done) => child.on('close', done));
  return { status, ...said };
}

test('a connection is made, and its credential is seen by nobody any more', async () => {
  await page.goto(`${place.url}/automation/connections`);
  await expect(page.getByText('No connection yet')).toBeVisible();
  await accessible(page, 'connections-none');
  await look(page, 'connections-none');
  await page.getByRole('button', { name: 'Make a connection' }).click();
  await page.getByLabel('Name', { exact: true }).fill('Ticket system');
  await page.getByLabel('Address').fill(address);
  await page.getByLabel('Secret').fill(SECRET);
  await page.getByLabel('Allows').fill('tickets');
  await expect(page.getByRole('button', { name: 'Make connection' })).toBeDisabled();
  await page.getByLabel('Allows').fill('GET /**\nPOST,PATCH /tickets/*/notes');
  await page.getByLabel('Proved by').fill('/me');
  await page.getByRole('checkbox', { name: 'Replace it on a schedule' }).check();
  await page.getByLabel('Path', { exact: true }).fill('/keys');
  await page.getByLabel('Body').fill('{"key": "{new}"}');
  await accessible(page, 'connection-new');
  await keep(page, 'connection-new');
  await look(page, 'connection-new');
  await page.getByRole('button', { name: 'Make connection' }).click();
  const dialog = page.getByRole('dialog');
  await expect(dialog).toContainText('Connect Ticket system');
  await expect(dialog).toContainText('The other system at this address');
  await expect(dialog).not.toContainText('Your own account');
  await expect(dialog).not.toContainText(SECRET);
  await accessible(page, 'authorize-connection');
  await look(page, 'authorize-connection');
  await authorize(page, code, 'connection');
  await expect(page.getByRole('row').filter({ hasText: 'Ticket system' })).toContainText('Works');
  await accessible(page, 'connections');
  await keep(page, 'connections');
  await look(page, 'connections');
});

test('people use it, and its page tells who did what', async () => {
  const login = await sallyport(['login', place.url, '--email', OWNER.email, '--code-stdin'], `${await owner.authenticator.soon()}\n`);
  expect(login.status, login.stderr).toBe(0);
  const called = await sallyport(['connections', 'call', 'Ticket system', 'GET', '/tickets?page=2']);
  expect([called.status, JSON.parse(called.stdout)], called.stderr).toEqual([0, { path: '/api/tickets?page=2' }]);
  expect((await sallyport(['connections', 'call', 'Ticket system', 'GET', '/tickets/404'])).status).toBe(1);
  expect((await sallyport(['connections', 'call', 'Ticket system', 'DELETE', '/tickets/5'])).stderr).toContain('connection_refused');
  await page.getByRole('link', { name: 'Ticket system' }).click();
  const calls = page.getByRole('table', { name: 'Calls, the newest first' });
  await expect(calls.getByRole('row')).toHaveCount(4);
  await expect(calls).toContainText('DELETE /tickets/5');
  await expect(calls).toContainText('not allowed');
  await accessible(page, 'connection');
  await keep(page, 'connection');
  await look(page, 'connection');
  const flip = page.locator('.topbar').getByRole('button', { name: /dark|light/i });
  await flip.click();
  await look(page, 'connection-light');
  await flip.click();
});

test('a connection is made on the command line too', async () => {
  const terms = ['--name', 'By hand', '--url', address, '--header', 'Authorization: Bearer', '--allow', 'GET /tickets/**', '--per-minute', '5'];
  const made = await sallyport(['connections', 'add', ...terms, '--code-stdin', '--json'], `${takes}\n${await owner.authenticator.soon()}\n`);
  expect(made.status, made.stderr).toBe(0);
  expect(made.stdout + made.stderr).not.toContain(takes);
  expect(JSON.parse(made.stdout)).toMatchObject({ name: 'By hand', state: 'active', per_minute: 5 });
  expect((await sallyport(['connections', 'call', 'By hand', 'GET', '/tickets/7'])).status).toBe(0);
  expect((await sallyport(['connections'])).stdout).toContain('Ticket system');
  expect((await sallyport(['connections', 'stop', 'By hand'])).status).toBe(0);
  expect((await sallyport(['connections', 'show', 'By hand'])).stdout).toContain('GET     /tickets/7');
});

test('its credential is replaced by a click', async () => {
  await page.getByRole('button', { name: 'Replace now' }).click();
  await expect(async () => {
    await page.getByRole('button', { name: 'Look again' }).click();
    expect(takes).not.toBe(SECRET);
    await expect(page.locator('dt', { hasText: 'Last replaced' }).locator('..')).not.toContainText('never');
  }).toPass();
  expect((await sallyport(['connections', 'call', 'Ticket system', 'GET', '/tickets'])).status).toBe(0);
  await page.getByRole('button', { name: 'Change' }).click();
  await expect(page.getByLabel('Secret')).toHaveValue('');
  await page.getByLabel('Address').fill('https://elsewhere.example');
  await expect(page.getByText('A credential is entrusted for one place')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Change connection' })).toBeDisabled();
  await look(page, 'connection-change');
  await page.getByRole('button', { name: 'Cancel' }).click();
});

test('a connection that is stopped is over', async () => {
  await page.getByRole('button', { name: 'Stop' }).click();
  await page.getByRole('button', { name: 'Stop it for good' }).click();
  await expect(page.getByText('Its credential is forgotten')).toBeVisible();
  expect((await sallyport(['connections', 'call', 'Ticket system', 'GET', '/tickets'])).stderr).toContain('connection_over');
  await accessible(page, 'connection-stopped');
  await look(page, 'connection-stopped');
  const log = place.log('sallyport');
  expect(log).toContain('connections');
  for (const secret of [SECRET, takes]) expect(log).not.toContain(secret);
  expect(faults).toEqual([]);
});
