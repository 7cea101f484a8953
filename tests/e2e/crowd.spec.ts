import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { faults, moveIn, page, place } from './support/office.js';
import { accessible, look, toolbar } from './support/steps.js';

/** One installation with as many devices as a large company has. They never enrolled: their rows are written beside the server. */
moveIn();

const DEVICES = 10_000;
/** Rows that a tall window shows, and some above and below. */
const MOST_ROWS = 150;

const FILL = `
import sqlite3, sys
database, count = sqlite3.connect(sys.argv[1], timeout=30), int(sys.argv[2])
tenant = database.execute("SELECT id FROM tenants").fetchone()[0]
customer, site = b"c" * 16, b"s" * 16
database.execute("INSERT INTO customers (id, tenant, name, created) VALUES (?, ?, 'Hafen', 0)", (customer, tenant))
database.execute("INSERT INTO sites (id, tenant, customer, name, created) VALUES (?, ?, ?, 'Kiel', 0)", (site, tenant, customer))
columns = "id tenant site thumbprint device_key seal_key name os agent_version state installer enrolled enrolled_from tags signed_in alerts version".split()
def row(n):
    key = n.to_bytes(4, "big") * 8
    return (key[:16], tenant, site, key, key, key, f"web-{n:05}", "Debian GNU/Linux 13", "0.1.0", "approved", b"i" * 16, 1, "192.0.2.1", "prod web", "root", "", 1)
database.executemany(f"INSERT INTO devices ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})", map(row, range(count)))
database.commit()
`;


test.beforeAll(async () => {
  execFileSync('python3', ['-c', FILL, join(place.folder, 'data/sallyport.db'), String(DEVICES)]);
});

const rows = () => page.locator('tbody tr:not(.spacer)');

test('ten thousand devices are one list that is scrolled to its end', async () => {
  await page.goto(`${place.url}/devices`);
  await expect(page.getByRole('tab', { name: /^All/ })).toContainText(/10.000/);
  await expect(page.getByText('web-00000')).toBeVisible();
  await look(page, 'devices-ten-thousand');
  await accessible(page, 'ten thousand devices');
  await page.locator('.main').evaluate((main) => main.scrollTo(0, main.scrollHeight));
  await expect(page.getByText('web-09999')).toBeVisible();
  expect(await rows().count()).toBeLessThan(MOST_ROWS);
  await expect(page.getByRole('table')).toHaveAttribute('aria-rowcount', String(DEVICES + 1));
});

test('a filter finds ten of them, and all that it finds are chosen at once', async () => {
  await page.keyboard.press('/');
  await page.keyboard.type('web-0777');
  await expect(rows()).toHaveCount(10);
  await page.getByRole('checkbox', { name: 'Select all 10' }).check();
  await expect(toolbar(page)).toContainText('10');
  await page.keyboard.press('Escape');
  expect(faults).toEqual([]);
});
