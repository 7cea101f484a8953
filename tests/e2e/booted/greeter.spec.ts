import { expect, test } from '@playwright/test';
import { enrol, run, write } from '../support/machine.js';
import { code, faults, moveIn, page, place } from '../support/office.js';
import { connected, deviceId, proveIfAsked } from '../support/remote.js';
import { approve, authorize, installer, look } from '../support/steps.js';

/** A machine with a display manager that waits for somebody to sign in. */
moveIn();

let device: string;

/** The display manager's own server, with its number and its cookie, and without the options of a graphics card, which this machine has none of. */
const SERVER = `#!/bin/sh
display=$1
while [ $# -gt 0 ]; do
    case $1 in -auth) authority=$2 ;; esac
    shift
done
exec Xvfb "$display" -screen 0 1024x768x24 -auth "$authority" -nolisten tcp
`;

test.beforeAll(async () => {
  // Sockets of displays lie outside of this machine's own folders too: a number that nobody else has.
  write('/etc/lightdm/lightdm.conf', '[LightDM]\nlogind-check-graphical=false\nminimum-display-number=61\n[Seat:*]\nxserver-command=/usr/local/bin/server\n');
  write('/usr/local/bin/server', SERVER);
  run('chmod +x /usr/local/bin/server; systemctl restart lightdm');
  const file = await installer(page, place, 1, () => authorize(page, code, 'installer'));
  enrol(file);
  await approve(page, place, 1);
  device = await deviceId((links) => links);
});

test.afterAll(() => void run('systemctl stop lightdm'));

const canvas = () => page.locator('.screen__place canvas');

/** How many colours the picture has. */
const colours = () =>
  canvas().evaluate((one) => {
    const { width, height } = one as HTMLCanvasElement;
    const pixels = (one as HTMLCanvasElement).getContext('2d')!.getImageData(0, 0, width, height).data;
    return new Set(new Uint32Array(pixels.buffer)).size;
  });

test('where nobody signed in, the greeter is the screen', async () => {
  await page.goto(`${place.url}/devices/${device}?tab=screen`);
  await page.getByRole('button', { name: 'Take control' }).click();
  await proveIfAsked(connected());
  await expect(canvas()).toHaveAttribute('width', '1024');
  await expect.poll(colours).toBeGreaterThan(50);
  await look(page, 'greeter');
});

test('keys reach it: the display manager gets the name, and the greeter asks for the password', async () => {
  const box = await canvas().boundingBox();
  await page.mouse.click((box?.x ?? 0) + 5, (box?.y ?? 0) + (box?.height ?? 0) / 2);
  await page.keyboard.type('till\n', { delay: 20 });
  await expect.poll(() => run("grep 'Greeter start authentication for' /var/log/lightdm/lightdm.log || true")).toContain('for till');
  await look(page, 'greeter-asks');
});

test('nothing was blocked by the policy and nothing threw', () => {
  expect(faults).toEqual([]);
});
