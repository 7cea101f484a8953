import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, type Locator, test } from '@playwright/test';
import { ENVIRONMENT, enrol, run, shown, there, write } from '../support/machine.js';
import { code, faults, moveIn, page, place } from '../support/office.js';
import { both, connected, deviceId, proveIfAsked } from '../support/remote.js';
import { accessible, approve, authorize, installer, look } from '../support/steps.js';

/** A machine with systemd, journald and a package manager, worked at in background sessions. */
moveIn();

let device: string;

const unit = (name: string, text: string) => write(`/etc/systemd/system/${name}.service`, text);

test.beforeAll(async () => {
  unit('shop-store', '[Unit]\nDescription=Where the shop keeps its goods\n[Service]\nExecStart=/bin/sleep infinity\n');
  unit('shop', '[Unit]\nDescription=The shop\nRequires=shop-store.service\nAfter=shop-store.service\n[Service]\nExecStart=/bin/sh -c "echo the shop is open; exec sleep infinity"\n[Install]\nWantedBy=multi-user.target\n');
  unit('shop-broken', '[Unit]\nDescription=The broken till\n[Service]\nType=oneshot\nExecStart=/bin/sh -c "echo the till is stuck >&2; exit 3"\n');
  run('systemctl daemon-reload; systemctl start shop; systemctl start shop-broken || true');
  const file = await installer(page, place, 1, () => authorize(page, code, 'installer'));
  enrol(file);
  await approve(page, place, 1);
  device = await deviceId((links) => links);
});

const openTab = async (word: RegExp) => page.getByRole('navigation').getByRole('link', { name: word }).click();
const table = (name: string) => page.getByRole('table', { name });
const row = (name: string): Locator => table('Services').getByRole('row').filter({ has: page.getByRole('cell', { name, exact: true }) });
const sheet = (name: string) => page.getByRole('complementary', { name: `${name}.service` });
const fact = (name: string, word: string) => sheet(name).locator('dt', { hasText: word }).locator('xpath=following-sibling::dd[1]');
const needs = (name: string, word: string) => sheet(name).locator('section').filter({ has: page.getByRole('heading', { name: word, exact: true }) });

test('services are known before anybody looks live', async () => {
  await page.goto(`${place.url}/devices/${device}?tab=services`);
  const known = page.getByRole('table', { name: 'services' });
  await expect(known.getByRole('row').filter({ hasText: 'The broken till' })).toContainText('failed');
  await expect(known.getByRole('row').filter({ hasText: 'Where the shop keeps its goods' })).toContainText('running');
});

test('services are listed with state, start and memory, and those that failed are found', async () => {
  await page.getByRole('button', { name: 'Manage live' }).click();
  await proveIfAsked(table('Services'));
  await expect(row('shop')).toContainText('Running');
  await expect(row('shop')).toContainText('by hand');
  await expect(row('shop')).toContainText('The shop');
  await expect(row('shop-store')).toContainText('with others');
  await expect(row('shop-broken')).toContainText('Failed');
  // Where memory is not counted, systemd has no number, and nothing is shown.
  const counted = /^\d+$/.test(shown('MemoryCurrent', 'systemd-journald'));
  await expect(row('systemd-journald').getByRole('cell').nth(3)).toHaveText(counted ? /\d [KM]i?B$/ : '');
  await look(page, 'systemd-services');
  await page.getByRole('group', { name: 'Which' }).getByRole('button', { name: /^Failed/ }).click();
  await expect(row('shop-broken')).toHaveCount(1);
  await expect(row('shop')).toHaveCount(0);
  await page.getByRole('group', { name: 'Which' }).getByRole('button', { name: 'All' }).click();
  await page.getByLabel('Filter services').last().fill('shop goods');
  await expect(row('shop-store')).toHaveCount(1);
  await expect(row('shop')).toHaveCount(0);
  await page.getByLabel('Filter services').last().fill('shop');
  await expect(row('shop')).toHaveCount(1);
});

test('a service is shown with what it needs, who needs it, and its last log lines', async () => {
  await row('shop').getByRole('cell', { name: 'shop', exact: true }).click();
  await expect(fact('shop', 'Starts')).toHaveText('by hand');
  await expect(fact('shop', 'Main process')).toHaveText(shown('MainPID', 'shop'));
  await expect(fact('shop', 'Unit file')).toHaveText('/etc/systemd/system/shop.service');
  await expect(sheet('shop').locator('.loglines')).toContainText('the shop is open');
  for (const word of ['Requires', 'After']) await expect(needs('shop', word)).toContainText('shop-store.service');
  await expect(needs('shop', 'After')).toContainText('basic.target');
  await both('systemd-service');
  await accessible(page, 'service');
  await needs('shop', 'Requires').getByRole('button', { name: 'shop-store.service' }).click();
  await expect(needs('shop-store', 'Wanted by')).toContainText('shop.service');
  await expect(sheet('shop-store')).toContainText('Where the shop keeps its goods');
  await row('shop-broken').getByRole('cell', { name: 'shop-broken', exact: true }).click();
  await expect(fact('shop-broken', 'Last result')).toHaveText('exit-code, exit 3');
  await expect(sheet('shop-broken').locator('.loglines')).toContainText('the till is stuck');
  await sheet('shop-broken').getByRole('button', { name: 'Close' }).click();
});

/** Chooses a change in a service's menu and agrees to it. */
async function change(name: string, word: string): Promise<void> {
  await row(name).getByRole('button', { name: `Actions on ${name}.service` }).click();
  await page.getByRole('menuitem', { name: word, exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: word, exact: true }).click();
}

test('a service is restarted, stopped, started, enabled and disabled, and systemd says so too', async () => {
  const before = shown('MainPID', 'shop');
  await row('shop').getByRole('cell', { name: 'shop', exact: true }).click();
  await expect(fact('shop', 'Main process')).toHaveText(before);
  await sheet('shop').getByRole('button', { name: 'Restart' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Restart', exact: true }).click();
  await expect(page.getByText('shop.service restarted')).toBeVisible();
  await expect(fact('shop', 'Main process')).not.toHaveText(before);
  await expect(fact('shop', 'Main process')).toHaveText(shown('MainPID', 'shop'));
  await sheet('shop').getByRole('button', { name: 'Close' }).click();

  await change('shop', 'Stop');
  await expect(row('shop')).toContainText('Stopped');
  expect(shown('ActiveState', 'shop')).toBe('inactive');
  await change('shop', 'Start with the machine');
  await expect(row('shop')).toContainText('with the machine');
  expect([shown('UnitFileState', 'shop'), shown('ActiveState', 'shop')]).toEqual(['enabled', 'inactive']);
  await change('shop', 'Start');
  await expect(row('shop')).toContainText('Running');
  expect(shown('ActiveState', 'shop')).toBe('active');
  await change('shop', 'Do not start with the machine');
  await expect(row('shop')).toContainText('by hand');
  expect([shown('UnitFileState', 'shop'), shown('ActiveState', 'shop')]).toEqual(['disabled', 'active']);
});

test('a start that fails is told with the reason of systemd, and the agent is left alone', async () => {
  await change('shop-broken', 'Start');
  await expect(page.getByRole('dialog').getByRole('alert')).toContainText('Job for shop-broken.service failed');
  await expect(page.getByRole('dialog').getByRole('alert')).toContainText('service_failed');
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
  await page.getByLabel('Filter services').last().fill('sallyport-agent');
  await change('sallyport-agent', 'Stop');
  await expect(page.getByRole('dialog').getByRole('alert')).toContainText('This is the agent itself');
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
  expect(shown('ActiveState', 'sallyport-agent')).toBe('active');
});

test('its processes are a tree under systemd', async () => {
  await openTab(/^Processes/);
  const process = (name: string) => table('Processes').getByRole('row').filter({ has: page.getByRole('cell', { name, exact: true }) });
  await expect(process('systemd-journald').or(process('systemd-journal'))).toContainText('root');
  await expect(table('Processes').getByRole('row').filter({ hasText: 'sallyport-agent' }).first()).toContainText(/\d %/);
  await both('remote-processes');
});

const log = () => page.getByRole('log', { name: 'Log lines' });
const logs = (text: string, level = 'info', tag = 'till') => run(`echo '${text}' | systemd-cat -t ${tag} -p ${level}`);

test('the journal is followed live', async () => {
  await openTab(/^Logs/);
  await expect(log()).toContainText('the shop is open'); // within the last hour
  logs('sold-1 apples');
  await expect(log().getByRole('listitem').filter({ hasText: 'sold-1 apples' })).toContainText('till');
  await both('systemd-logs');
  await accessible(page, 'logs');
});

test('log lines are filtered by unit, level, text and time', async () => {
  await page.getByLabel('Unit', { exact: true }).fill('shop');
  await page.getByLabel('Unit', { exact: true }).press('Tab');
  await expect(log()).toContainText('the shop is open');
  await expect(log()).not.toContainText('sold-1');
  for (const from of await log().locator('.loglines__unit').allInnerTexts()) expect(from).toMatch(/^(shop|init\.scope|systemd)\b/);

  await page.getByLabel('Unit', { exact: true }).fill('');
  await page.getByLabel('Unit', { exact: true }).press('Tab');
  await page.getByLabel('Level').selectOption({ label: 'Warning and worse' });
  logs('sold-2 pears');
  logs('the drawer is nearly full', 'warning');
  await expect(log().getByRole('listitem').filter({ hasText: 'the drawer is nearly full' })).toContainText('Warning');
  await expect(log()).not.toContainText('sold-2'); // it was written before

  await page.getByLabel('Level').selectOption({ label: 'All levels' });
  await page.getByLabel('Filter log lines').last().fill('sold-[12] (apples|pears)');
  await expect(log().getByRole('listitem')).toHaveCount(2);
  logs('sold-3 plums');
  logs('sold-2 pears once more');
  await expect(log().getByRole('listitem')).toHaveCount(3);
  await expect(log()).not.toContainText('plums');

  await page.getByLabel('Filter log lines').last().fill('');
  await page.getByLabel('Since').selectOption({ label: 'From now' });
  await expect(page.getByText('sold-1')).toHaveCount(0);
  logs('sold-4 figs');
  await expect(log()).toContainText('sold-4 figs');
  await page.getByLabel('Filter log lines').last().fill('no line has this');
  await expect(page.getByText('No line matches')).toBeVisible();
  await page.getByLabel('Filter log lines').last().fill('sold-5');
});

test('a followed journal is paused, goes on and is saved, and says when it stops', async () => {
  await page.getByRole('button', { name: 'Pause' }).click();
  logs('sold-5 nuts');
  await expect(page.getByText('1 held back')).toBeVisible();
  await expect(page.getByText('sold-5 nuts')).toHaveCount(0);
  await page.getByRole('button', { name: 'Go on' }).click();
  await expect(log()).toContainText('sold-5 nuts');
  const file = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Save these lines' }).click();
  expect(readFileSync(await (await file).path(), 'utf8')).toMatch(/^\S+ till\[\d+\] Info: sold-5 nuts$/m);
  run('kill $(pgrep -x journalctl)');
  await expect(page.getByRole('alert')).toContainText('The journal stopped');
  await page.getByRole('alert').getByRole('button', { name: 'Try again' }).click();
  logs('sold-5 more nuts');
  await expect(log()).toContainText('sold-5 more nuts');
});

/** A repository of one package, whose first version is installed. */
const REPOSITORY = `mkdir -p /opt/repository/package/DEBIAN; cd /opt/repository
for version in 1.0 1.1; do
  printf 'Package: shop-tools\\nVersion: %s\\nArchitecture: all\\nMaintainer: Shop <it@shop.example>\\nDescription: tools\\n' $version > package/DEBIAN/control
  dpkg-deb --build package tools-$version.deb
done
dpkg --install tools-1.0.deb
set -- $(sha256sum tools-1.1.deb) $(stat -c %s tools-1.1.deb)
{ cat package/DEBIAN/control; printf 'Filename: ./tools-1.1.deb\\nSHA256: %s\\nSize: %s\\n' $1 $3; } > Packages
rm -f /etc/apt/sources.list.d/*; echo 'deb [trusted=yes] file:/opt/repository ./' > /etc/apt/sources.list
apt-get update`;

test('packages are those of the package manager, with the update that waits', async () => {
  run(REPOSITORY);
  await openTab(/^Software/);
  await expect(table('Packages')).toBeVisible({ timeout: 90_000 });
  const installed = run("dpkg-query --show --showformat '${db:Status-Status}\\n' | grep -cx installed");
  await expect(page.getByText(`${installed} packages`)).toBeVisible();
  await expect(page.getByText('Updates as apt last heard of them')).toBeVisible();
  const version = run("dpkg-query --show --showformat '${Version}' systemd");
  await page.getByLabel('Filter software').last().fill('systemd');
  const exact = (name: string) => table('Packages').getByRole('row').filter({ has: page.getByRole('cell', { name, exact: true }) });
  await expect(exact('systemd').getByRole('cell')).toHaveText(['systemd', version, '']);
  await page.getByLabel('Filter software').last().fill('');
  await page.getByRole('button', { name: 'Updates 1', exact: true }).click();
  await expect(table('Packages').getByRole('row').nth(1).getByRole('cell')).toHaveText(['shop-tools', '1.0', '1.1']);
  await expect(table('Packages').getByRole('row')).toHaveCount(2);
  await look(page, 'systemd-software');
});

/** Signs somebody in at a terminal of its own, until its input closes. */
function signIn(options: string): ChildProcess {
  return spawn(...there(`exec script --quiet --command 'login ${options} -f ada' /dev/null`), { stdio: ['pipe', 'ignore', 'ignore'], env: { ...ENVIRONMENT, TERM: 'dumb' } });
}

test('who is signed in is shown with where from, and no longer once they left', async () => {
  run('useradd --create-home --shell /bin/sh ada');
  const sessions = [signIn(''), signIn('-h 192.0.2.7')];
  await expect.poll(() => run('pgrep -c -u ada -x sh || true')).toBe('2');
  await openTab(/^Services/);
  await openTab(/^Software/);
  await page.getByRole('button', { name: 'Signed in', exact: true }).click();
  const people = table('Signed in').getByRole('row').filter({ hasText: 'ada' });
  await expect(people).toHaveCount(2);
  await expect(people.filter({ hasText: 'the machine itself' })).toContainText('pts/');
  await expect(people.filter({ hasText: '192.0.2.7' })).toContainText('pts/');
  await look(page, 'systemd-people');
  const gone = sessions.map((session) => new Promise((done) => session.once('exit', done)));
  for (const session of sessions) session.stdin?.end('exit\n');
  await Promise.all(gone);
  await openTab(/^Services/);
  await openTab(/^Software/);
  await page.getByRole('button', { name: 'Signed in', exact: true }).click();
  await expect(page.getByText('Nobody is signed in')).toBeVisible();
});

test('nothing was blocked by the policy and nothing threw', async () => {
  await expect(connected()).toBeVisible();
  expect(faults).toEqual([]);
});
