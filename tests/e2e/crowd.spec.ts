import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, type Locator, type Page, test } from '@playwright/test';
import { faults, moveIn, page, place } from './support/office.js';
import { accessible, look, toolbar, writeScript } from './support/steps.js';

/** One installation with as many devices as a large company has. They never enrolled: their rows are written beside the server. */
moveIn();

const DEVICES = 10_000;
/** More of them tell more about a machine: SALLYPORT_ROUNDS. */
const ROUNDS = Number(process.env['SALLYPORT_ROUNDS'] ?? 1);
/** Rows that a tall window shows, and some above and below. */
const MOST_ROWS = 150;

const FILL = `
import sqlite3, sys
database, count = sqlite3.connect(sys.argv[1], timeout=30), int(sys.argv[2])
tenant = database.execute("SELECT id FROM tenants").fetchone()[0]
hafen, werft, kiel, bremen, emden = b"c" * 16, b"w" * 16, b"s" * 16, b"b" * 16, b"e" * 16
for customer, name in [(hafen, "Hafen"), (werft, "Werft")]:
    database.execute("INSERT INTO customers (id, tenant, name, created) VALUES (?, ?, ?, 0)", (customer, tenant, name))
for site, customer, name in [(kiel, hafen, "Kiel"), (bremen, werft, "Bremen"), (emden, werft, "Emden")]:
    database.execute("INSERT INTO sites (id, tenant, customer, name, created) VALUES (?, ?, ?, ?, 0)", (site, tenant, customer, name))
columns = "id tenant site thumbprint device_key seal_key name os agent_version state installer enrolled enrolled_from tags signed_in alerts version".split()
def row(n):
    key = n.to_bytes(4, "big") * 8
    site = kiel if n < 9_940 else bremen if n < 9_980 else emden
    os = "Ubuntu 24.04 LTS" if n % 4 == 0 else "Debian GNU/Linux 13"
    return (key[:16], tenant, site, key, key, key, f"web-{n:05}", os, "0.1.0", "approved", b"i" * 16, 1, "192.0.2.1", "prod web", "root", "", 1)
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
});

/** When the first frame after something that was done was painted, and when the one with what it leads to, in milliseconds; and how long the server took of it. */
interface Taken {
  painted: number;
  shown: number;
  server: number;
}

/** Does something, and watches for the frame in which a text stands at a place of the page. */
async function timed(place: string, text: string, act: () => Promise<void>): Promise<Taken> {
  await page.evaluate(
    ([place = '', text = '']) => {
      const server = (since: number) => performance.getEntriesByType('resource').filter((one) => one.startTime >= since && one.name.includes('/v1/devices')).reduce((sum, one) => sum + one.duration, 0);
      (window as { taken?: Promise<Taken> }).taken = new Promise((told) => {
        const kinds = ['keydown', 'click', 'wheel'] as const;
        const begun = ({ timeStamp }: Event) => {
          for (const kind of kinds) removeEventListener(kind, begun, true);
          let painted = 0;
          const after = () => {
            painted ||= performance.now() - timeStamp;
            const there = [...document.querySelectorAll(place)].some((one) => one.textContent?.includes(text));
            if (there) return void told({ painted, shown: performance.now() - timeStamp, server: server(timeStamp) });
            requestAnimationFrame(() => setTimeout(after));
          };
          requestAnimationFrame(() => setTimeout(after));
        };
        for (const kind of kinds) addEventListener(kind, begun, true);
      });
    },
    [place, text],
  );
  await act();
  const taken = await page.evaluate(() => (window as { taken?: Promise<Taken> }).taken);
  if (!taken) throw new Error('the page was left');
  return taken;
}

test('what somebody does among ten thousand devices is shown, and how soon is told', async () => {
  const top = 'tbody tr:not(.spacer):nth-child(-n + 2)';
  const taken = new Map<string, Taken[]>();
  const does = async (word: string, place: string, text: string, act: () => Promise<void>) => void taken.set(word, [...(taken.get(word) ?? []), await timed(place, text, act)]);
  for (let round = 0; round < ROUNDS; round++) {
    await page.goto(`${place.url}/devices`);
    await expect(page.getByText('web-00000')).toBeVisible();
    for (const row of [0, 1, 2]) await does('to the next row', 'tr[data-cursor]', `web-0000${row}`, () => page.keyboard.press('j'));
    await does('scroll by 20,000 px', 'tbody tr', 'web-0056', async () => {
      await page.mouse.move(700, 500);
      await page.mouse.wheel(0, 20_000);
    });
    await does('sort', top, 'web-09999', () => page.getByRole('button', { name: 'Device', exact: true }).click());
    await page.keyboard.press('/');
    for (const [key, device] of [['8', 'web-09998'], ['7', 'web-09987'], ['6', 'web-09876'], ['0', 'web-08760']] as const) {
      await does('a letter into the filter', top, device, () => page.keyboard.press(key));
    }
    await does('open a device', 'h1', 'web-08760', () => page.getByRole('link', { name: 'web-08760' }).click());
  }
  const middle = (values: number[]) => values.sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN;
  for (const [word, those] of taken) {
    const [painted, shown, server] = (['painted', 'shown', 'server'] as const).map((what) => Math.round(middle(those.map((one) => one[what]))));
    const said = `${word}: next frame after ${painted} ms, what it leads to after ${shown} ms, of which the server took ${server} ms (the middle of ${those.length})`;
    console.log(said);
    test.info().annotations.push({ type: 'interaction', description: said });
  }
});

/** Adds a filter by its word in the menu. */
const add = async (word: string, within: Page | Locator = page) => {
  await within.getByRole('button', { name: 'Filter', exact: true }).click();
  await page.getByRole('menuitem', { name: word, exact: true }).click();
};

test('a view is saved under a name, opened again, and forgotten', async () => {
  await page.goto(`${place.url}/devices`);
  await expect(page.getByText('web-00000')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Save view' })).toHaveCount(0);
  await add('Werft');
  await expect(page.getByRole('table')).toHaveAttribute('aria-rowcount', '61');
  await add('Werft / Emden');
  await expect(page.getByRole('table')).toHaveAttribute('aria-rowcount', '21');
  const { search } = new URL(page.url());
  await page.getByRole('button', { name: 'Save view' }).click();
  await expect(page.getByLabel('Name of the view')).toBeFocused();
  await page.keyboard.type('Dock at Emden');
  await page.keyboard.press('Enter');
  const view = page.getByRole('tab', { name: 'Dock at Emden' });
  await expect(view).toHaveAttribute('aria-selected', 'true');
  await accessible(page, 'saved-view');
  await look(page, 'devices-saved-view');

  await page.goto(`${place.url}/devices`);
  await expect(page.getByRole('table')).toHaveAttribute('aria-rowcount', String(DEVICES + 1));
  await expect(view).toHaveAttribute('aria-selected', 'false');
  await view.click();
  await expect(page.getByRole('table')).toHaveAttribute('aria-rowcount', '21');
  expect(new URL(page.url()).search).toBe(search);
  await expect(page.getByText('web-09980')).toBeVisible();
  await page.getByRole('button', { name: 'Forget view' }).click();
  await expect(view).toHaveCount(0);
  await expect(page.getByRole('table')).toHaveAttribute('aria-rowcount', '21'); // what it showed stays
});

test('a script goes where customer, site, system, tag and text say', async () => {
  await writeScript(page, place, { name: 'uptime', text: 'uptime\n' });
  await page.getByRole('link', { name: 'Run', exact: true }).click();
  const devices = page.getByRole('region', { name: 'Devices' });
  const picked = devices.getByRole('list', { name: 'Chosen devices' }).getByRole('listitem');
  await add('Werft', devices);
  await expect(devices).toContainText('60 chosen');
  await add('Ubuntu 24.04 LTS', devices);
  await expect(devices).toContainText('15 chosen');
  await add('Werft / Emden', devices);
  await expect(devices).toContainText('5 chosen');
  await expect(picked).toHaveText([9980, 9984, 9988, 9992, 9996].map((n) => new RegExp(`web-0${n}`)));
  await devices.getByRole('button', { name: 'Remove filter OS' }).click();
  await expect(devices).toContainText('20 chosen');
  await add('prod', devices);
  await expect(page).toHaveURL(/tag=prod/);
  await expect(devices).toContainText('20 chosen');
  await devices.getByLabel('Find devices', { exact: true }).fill('web-0999');
  await expect(devices).toContainText('10 chosen');
  await accessible(page, 'run-by-filter');
  await look(page, 'run-by-filter');
  expect(faults).toEqual([]);
});
