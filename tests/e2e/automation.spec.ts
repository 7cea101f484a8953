import { spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { PROGRAMS } from './support/installation.js';
import { code, faults, moveIn, page, place } from './support/office.js';
import { keep } from './support/pictures.js';
import { accessible, authorize, look } from './support/steps.js';

/** An API client from its key to its end, with the tool as people run it. */
moveIn();


/** The command line on the computer where the tool runs. */
function sallyport(args: string[]) {
  const env = { ...process.env, XDG_STATE_HOME: join(place.folder, 'tool'), SALLYPORT_SESSION: undefined };
  return spawnSync(join(PROGRAMS, 'sallyport'), args, { encoding: 'utf8', env, timeout: 60_000 });
}

/** A command as the page shows it, without the program's name. */
async function shown(label: string): Promise<string[]> {
  const line = page.locator('.cmd').filter({ has: page.getByRole('button', { name: label }) });
  return ((await line.locator('code').textContent()) ?? '').split(' ').slice(1);
}

const COMMAND = ['sh', '-c', 'curl -sS -o /dev/null -w "%{http_code}" -H "Authorization: Bearer $SALLYPORT_TOKEN" "$SALLYPORT_URL/v1/devices"'];
const run = async () => sallyport([...(await shown('Copy the command that runs a tool')).slice(0, -1), ...COMMAND]);
const row = () => page.getByRole('row').filter({ hasText: 'Nightly report' });

test('a client is made with the key of a tool, and people prove that they want it', async () => {
  await page.goto(`${place.url}/automation/clients`);
  await expect(page.getByText('No API client yet')).toBeVisible();
  await accessible(page, 'clients-none');
  await page.getByRole('button', { name: 'Make an API client' }).click();
  await page.getByLabel('Name', { exact: true }).fill('Nightly report');
  const made = sallyport([...(await shown('Copy the command that makes the key')), '--json']);
  expect(made.stderr).toBe('');
  await page.getByRole('checkbox', { name: /devices\.read/ }).check();
  await page.getByLabel('Works from').fill('127.0.0.1');
  await page.getByLabel('Public key').fill(made.stdout);
  await accessible(page, 'client-new');
  await look(page, 'client-new');
  await page.getByRole('button', { name: 'Create API client' }).click();
  await expect(page.getByRole('dialog')).toContainText('Programs that hold the key of this client');
  await authorize(page, code, 'client');
  await expect(page.getByRole('heading', { name: 'Nightly report: what is left to do' })).toBeVisible();
  await expect(row()).toContainText('Works');
});

test('the tool runs as the page says', async () => {
  const bound = sallyport(await shown('Copy the command that binds the key'));
  expect(bound.status, bound.stderr).toBe(0);
  const ran = await run();
  expect([ran.stdout, ran.status], ran.stderr).toEqual(['200', 0]);
  await accessible(page, 'clients');
  await keep(page, 'clients');
  await look(page, 'clients');
});

test('a client is changed by proof, and the tool feels it', async () => {
  await row().getByRole('link', { name: 'Nightly report', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Change Nightly report' })).toBeVisible();
  await expect(page.getByLabel('Works from')).toHaveValue('127.0.0.1');
  await page.getByRole('checkbox', { name: /devices\.read/ }).uncheck();
  await page.getByRole('checkbox', { name: /scripts\.read/ }).check();
  await accessible(page, 'client-change');
  await page.getByRole('button', { name: 'Change API client' }).click();
  await authorize(page, code, 'client-change');
  await expect(row()).toContainText('scripts.read');
  expect((await run()).stdout).toBe('403');
});

test('a client that is stopped gets nothing any more', async () => {
  await row().getByRole('button', { name: 'Stop' }).click();
  await row().getByRole('button', { name: 'Stop it' }).click();
  await expect(row()).toContainText('Stopped');
  const refused = await run();
  expect(refused.status).not.toBe(0);
  expect(refused.stderr).toContain('invalid_client');
  await page.getByRole('button', { name: 'Done' }).click();
  await page.reload();
  await expect(row()).toContainText('Stopped');
  await expect(row()).toContainText(/ago|now/); // when it was used
  expect(faults).toEqual([]);
});

/** What a licensed tool does. */
const REPORT = '#!/bin/sh\ncurl -sS -o /dev/null -w "%{http_code}" -H "Authorization: Bearer $SALLYPORT_TOKEN" "$SALLYPORT_URL/v1/devices"\n';
const at = (name: string) => join(place.folder, name);
const runLicensed = () => sallyport(['tool', 'exec', '--client', 'licensed', '--licence', at('report.licence'), '--tool-version', '1.4', '--', at('report')]);

test('a client that needs a licence gets nothing by its key alone, and its page says why', async () => {
  writeFileSync(at('report'), REPORT);
  chmodSync(at('report'), 0o755);
  await page.goto(`${place.url}/automation/clients?new=1`);
  await page.getByLabel('Name', { exact: true }).fill('Licensed');
  const made = sallyport([...(await shown('Copy the command that makes the key')), '--json']);
  await page.getByRole('checkbox', { name: /devices\.read/ }).check();
  await page.getByLabel('Works from').fill('127.0.0.1');
  await page.getByLabel('Public key').fill(made.stdout);
  await page.getByRole('checkbox', { name: /Needs a licence/ }).check();
  await page.getByRole('button', { name: 'Create API client' }).click();
  await authorize(page, code, 'client-licensed');
  expect(sallyport(await shown('Copy the command that binds the key')).status).toBe(0);
  expect((await run()).stderr).toContain('invalid_client');
  await page.getByRole('link', { name: 'Licences of Licensed' }).click();
  await expect(page.getByRole('heading', { name: 'Licensed', exact: true })).toBeVisible();
  await expect(page.getByText('no licence was shown')).toBeVisible();
  await expect(page.getByText('No licence yet')).toBeVisible();
  await accessible(page, 'licences-none');
});

test('a licence is issued for a file that the browser measures, and its tool runs', async () => {
  await page.getByRole('button', { name: 'New licence' }).click();
  await page.getByLabel('Tool', { exact: true }).fill('Patch report');
  await page.getByLabel('Publisher').fill('Nordwind');
  await page.getByLabel('Versions from').fill('1');
  await page.getByLabel('below', { exact: true }).fill('2');
  await page.getByLabel('Measure a file').setInputFiles(at('report'));
  await expect(page.getByLabel(/SHA-256 of the executable/)).toHaveValue(/^[0-9a-f]{64} {2}report$/);
  const host = sallyport(['tool', 'host-key', '--file']);
  expect(host.stdout).toContain('file:0');
  await page.getByLabel(/^Hosts/).fill(`build-1 ${host.stdout.split('\n')[0]}`);
  await accessible(page, 'licence-new');
  await look(page, 'licence-new');
  await page.getByRole('button', { name: 'Issue licence' }).click();
  await authorize(page, code, 'licence');
  const licence = page.getByRole('row').filter({ hasText: 'Patch report' });
  await expect(licence).toContainText('Valid');
  const download = page.waitForEvent('download');
  await licence.getByRole('button', { name: /Download/ }).click();
  await (await download).saveAs(at('report.licence'));
  const ran = runLicensed();
  expect([ran.stdout, ran.status], ran.stderr).toEqual(['200', 0]);
  await page.reload();
  await expect(licence).toContainText('build-1');
  await accessible(page, 'licences');
  await keep(page, 'licences');
  await look(page, 'licences');
});

test('a licence that is revoked lets its tool in no more', async () => {
  const licence = page.getByRole('row').filter({ hasText: 'Patch report' });
  await licence.getByRole('button', { name: 'Revoke' }).click();
  await licence.getByRole('button', { name: 'Revoke it' }).click();
  await expect(licence).toContainText('Revoked');
  const refused = runLicensed();
  expect(refused.status).not.toBe(0);
  await page.reload();
  await expect(page.getByText('the licence was revoked')).toBeVisible();
  expect(faults).toEqual([]);
});
