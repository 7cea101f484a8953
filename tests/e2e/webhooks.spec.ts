import { createHmac } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { expect, test } from '@playwright/test';
import { code, faults, moveIn, page, place } from './support/office.js';
import { keep } from './support/pictures.js';
import { accessible, authorize, look } from './support/steps.js';

/** A webhook from the first empty page to its end, with a receiver on this machine that checks signatures by itself. */
moveIn(() => ({ env: { SALLYPORT_OUTBOUND_NETWORKS: '127.0.0.0/8', SALLYPORT_OUTBOUND_HTTP: 'listed' } }));

interface Arrived {
  headers: IncomingHttpHeaders;
  body: string;
}

let receiver: Server;
let address = '';
let secret = '';
let answers = 204;
const arrived: Arrived[] = [];

test.beforeAll(async () => {
  receiver = createServer((request, response) => {
    let body = '';
    request.on('data', (piece: Buffer) => (body += piece.toString()));
    request.on('end', () => {
      arrived.push({ headers: request.headers, body });
      response.writeHead(answers).end();
    });
  });
  await new Promise<void>((done) => receiver.listen(0, '127.0.0.1', done));
  const bound = receiver.address();
  address = `http://127.0.0.1:${typeof bound === 'object' && bound ? bound.port : 0}/hooks`;
});

test.afterAll(async () => {
  receiver.close();
});

/** As Standard Webhooks says, with nothing of ours. */
function isSigned({ headers, body }: Arrived): boolean {
  const key = Buffer.from(secret.replace('whsec_', ''), 'base64');
  const text = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
  const wanted = `v1,${createHmac('sha256', key).update(text).digest('base64')}`;
  return String(headers['webhook-signature']).split(' ').includes(wanted);
}

const deliveries = () => page.getByRole('table', { name: 'Deliveries, the newest first' });

test('a webhook is made by proof, and its secret is shown once', async () => {
  await page.goto(`${place.url}/automation/webhooks`);
  await expect(page.getByText('No webhook yet')).toBeVisible();
  await accessible(page, 'webhooks-none');
  await page.getByRole('button', { name: 'Make a webhook' }).click();
  await page.getByLabel('Name', { exact: true }).fill('Tickets');
  await page.locator('#webhook-url').fill(address);
  await page.getByRole('checkbox', { name: /customer\.created|job\.finished/ }).first().check();
  await accessible(page, 'webhook-new');
  await look(page, 'webhook-new');
  await page.getByRole('button', { name: 'Create webhook' }).click();
  await expect(page.getByRole('dialog')).toContainText('The receiver at this address');
  await authorize(page, code, 'webhook');
  const shown = page.getByRole('region', { name: 'Tickets: its secret' });
  secret = (await shown.locator('code').innerText()).match(/whsec_[A-Za-z0-9+/=]+/)?.[0] ?? '';
  expect(secret).not.toBe('');
  await expect(shown, 'it is no command').not.toContainText('$');
  await accessible(page, 'webhook-secret');
  await look(page, 'webhook-secret');
  await shown.getByRole('button', { name: 'I have kept it' }).click();
  await expect(page.getByRole('row').filter({ hasText: 'Tickets' })).toBeVisible();
  expect(await page.content()).not.toContain(secret);
  await accessible(page, 'webhooks');
  await keep(page, 'webhooks');
  await look(page, 'webhooks');
});

test('a test arrives with a signature that its receiver can check, and stands in the log', async () => {
  await page.getByRole('link', { name: 'Tickets' }).click();
  await page.getByRole('button', { name: 'Send a test' }).click();
  await expect(deliveries()).toContainText('Delivered');
  await expect(page.locator('dl').filter({ hasText: 'Last arrival' })).not.toContainText('never');
  await expect.poll(() => arrived.length).toBeGreaterThan(0);
  expect(arrived.every(isSigned)).toBe(true);
  await deliveries().getByRole('button', { name: 'Details' }).first().click();
  await expect(deliveries()).toContainText('204');
  await accessible(page, 'webhook');
  await keep(page, 'webhook');
  await look(page, 'webhook');
  // On a phone as well all of it can be read.
  await page.setViewportSize({ width: 390, height: 844 });
  const hidden = await page.locator('.details > td').evaluate((cell) => [cell.scrollWidth - cell.clientWidth, cell.scrollHeight - cell.clientHeight]);
  expect(hidden).toEqual([0, 0]);
  await expect(deliveries().getByRole('button', { name: 'Details' }).first()).toBeInViewport({ ratio: 1 });
  await look(page, 'webhook-phone');
  await page.setViewportSize({ width: 1440, height: 900 });
});

test('one that its receiver refuses is tried again, and sent once more by hand', async () => {
  answers = 503;
  await page.getByRole('button', { name: 'Send a test' }).click();
  await expect(deliveries()).toContainText('503');
  await expect(deliveries()).toContainText(/Waiting again in/);
  answers = 204;
  const before = arrived.length;
  await deliveries().getByRole('button', { name: 'Send once more' }).click();
  await expect.poll(() => arrived.length).toBeGreaterThan(before);
  expect(isSigned(arrived.at(-1) as Arrived)).toBe(true);
});

test('pausing is a click, and so is going on', async () => {
  await page.getByRole('button', { name: 'Pause' }).click();
  await expect(page.getByRole('button', { name: 'Resume' })).toBeVisible();
  await page.getByRole('button', { name: 'Resume' }).click();
  await expect(page.getByRole('button', { name: 'Pause' })).toBeVisible();
  await page.getByRole('button', { name: 'Remove', exact: true }).click();
  await page.getByRole('button', { name: 'Remove it' }).click();
  await expect(page.getByText('No webhook yet')).toBeVisible();
  expect(faults).toEqual([]);
});
