import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { context, faults, moveIn, page, place } from './support/office.js';
import { both, connected, deviceId, enrol, proveIfAsked } from './support/remote.js';
import { accessible } from './support/steps.js';

/** One installation, with a machine that has a display of its own. */
moveIn(() => ({ permissions: ['clipboard-read', 'clipboard-write'] }));

let screen: string;
/** What the screen showed in the end, as a person saved it. */
let seen: Buffer;

test.beforeAll(async () => {
  await enrol(place.desktop('screen-01'));
  screen = await deviceId((links) => links.filter({ hasText: 'screen-01' }));
});

const canvas = () => page.locator('.screen__place canvas');

async function clickScreen(): Promise<void> {
  const box = await canvas().boundingBox();
  await page.mouse.click((box?.x ?? 0) + 120, (box?.y ?? 0) + 120);
}

/** Types into the program that the screen shows. */
const enter = (text: string) => page.keyboard.type(text, { delay: 15 });

/** What a command of the device's shell wrote into a file, once it did. */
async function written(name: string, command: string): Promise<string> {
  await enter(`${command} >new; mv new ${name}\n`); // the shell began in the installation's folder
  const file = join(place.folder, name);
  await expect.poll(() => existsSync(file)).toBe(true);
  return readFileSync(file, 'utf8');
}

/** Where the picture shows anything but the ground of the terminal: how far it reaches to the right and down, and how many pixels. */
const ink = () =>
  canvas().evaluate((one) => {
    const [width, height] = [700, 400];
    const pixels = (one as HTMLCanvasElement).getContext('2d')!.getImageData(2, 2, width, height).data; // within the window's border
    const ground = 4 * (height * width - 1); // its last pixel, where nothing is written
    const found = { right: 0, bottom: 0, pixels: 0 };
    for (let at = 0; at < pixels.length; at += 4) {
      if ([0, 1, 2].every((part) => Math.abs(pixels[at + part]! - pixels[ground + part]!) <= 48)) continue;
      found.right = Math.max(found.right, (at / 4) % width);
      found.bottom = Math.max(found.bottom, Math.floor(at / 4 / width));
      found.pixels += 1;
    }
    return found;
  });

test('a screen is seen and worked at: keys reach the program that it shows', async () => {
  const proof = join(place.folder, 'typed-on-screen');
  await page.goto(`${place.url}/devices/${screen}?tab=screen`);
  await page.getByRole('button', { name: 'Take control' }).click();
  await proveIfAsked(connected());
  await expect(canvas()).toHaveAttribute('width', '1280'); // keys count from when the device said how large its screen is
  await clickScreen();
  await enter("P=$PS1 PS1=; printf '\\033[?25l'; clear\n");
  await expect.poll(async () => (await ink()).pixels).toBe(0);
  await enter('MMMMMMMMMM');
  await expect.poll(async () => (await ink()).pixels).toBeGreaterThan(300);
  const ten = await ink();
  await enter('MMMMMMMMMM');
  // Twice the letters: they reach twice as far, on the same line, with twice the ink.
  await expect.poll(async () => Math.round((await ink()).right / ten.right * 10)).toBe(20);
  const twenty = await ink();
  expect(twenty.bottom).toBe(ten.bottom);
  expect(Math.abs(twenty.pixels - 2 * ten.pixels)).toBeLessThan(ten.pixels / 10);
  await page.keyboard.press('Control+u');
  await expect.poll(async () => (await ink()).pixels).toBe(0);
  await enter("PS1=$P; printf '\\033[?25h'; clear\n");
  await enter(`echo seen-and-typed > ${proof}\n`);
  await expect.poll(() => (existsSync(proof) ? readFileSync(proof, 'utf8') : '')).toBe('seen-and-typed\n');
  await both('remote-screen');
  const picture = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Save a picture of the screen' }).click();
  seen = readFileSync(await (await picture).path());
  expect(seen.subarray(1, 4).toString()).toBe('PNG');
  expect([seen.readUInt32BE(16), seen.readUInt32BE(20)]).toEqual([1280, 800]);
  await accessible(page, 'screen');
});

test('a screen is opened again to watch only', async () => {
  await page.getByRole('button', { name: 'End session' }).click();
  await page.getByRole('button', { name: 'End it?' }).click();
  await expect(page.getByText('The session has ended')).toBeVisible();
  await page.reload();
  await page.getByRole('button', { name: 'Only watch' }).click();
  await proveIfAsked(connected());
  await expect(page.locator('.screen__place canvas')).toBeVisible();
  await expect(page.locator('.screen__bar')).toContainText('Watching');
  await expect(page.getByRole('button', { name: 'Resize' })).toBeDisabled();
  await page.getByRole('button', { name: 'Clipboard' }).click();
  await expect(page.getByLabel('To the device')).toBeDisabled();
  await page.keyboard.press('Escape');
});

/** How many pixels of two pictures differ visibly. */
async function differences(one: string, other: string): Promise<number> {
  const bench = await context.newPage();
  const count = await bench.evaluate(async (urls) => {
    const pixels = await Promise.all(urls.map(async (url) => {
      const image = new Image();
      image.src = url;
      await image.decode();
      const canvas = Object.assign(document.createElement('canvas'), { width: image.width, height: image.height });
      const paper = canvas.getContext('2d')!;
      paper.drawImage(image, 0, 0);
      return paper.getImageData(0, 0, image.width, image.height).data;
    }));
    let count = 0;
    for (let at = 0; at < pixels[0]!.length; at += 4) if ([0, 1, 2].some((part) => Math.abs(pixels[0]![at + part]! - pixels[1]![at + part]!) > 48)) count++;
    return count;
  }, [one, other]);
  await bench.close();
  return count;
}

test('the recording of a screen is played and sought through, and ends with what was seen', async () => {
  await page.goto(`${place.url}/sessions?state=ended`);
  await page.getByRole('row').filter({ hasText: 'Screen' }).getByRole('link').first().click();
  await expect(page.getByText('Digest fits')).toBeVisible();
  const film = page.locator('.player__film');
  const moment = page.getByLabel('Moment');
  const picture = () => film.locator('.screen__host:not([style*="hidden"]) canvas').evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL());
  await expect(film).toHaveAttribute('data-shown', '0');
  const beginning = await picture();
  await moment.press('End');
  await expect(film).toHaveAttribute('data-shown', (await moment.getAttribute('max')) ?? '');
  const live = `data:image/png;base64,${seen.toString('base64')}`;
  await expect.poll(async () => differences(await picture(), live), { timeout: 20_000 }).toBeLessThan(400); // the cursor of a terminal is hollow without a pointer
  expect(await differences(beginning, await picture())).toBeGreaterThan(800);
  await both('remote-film');
  await accessible(page, 'film');
  await moment.fill('0');
  await expect(film).toHaveAttribute('data-shown', '0');
  await expect.poll(picture).toBe(beginning);
  await page.getByRole('button', { name: 'Play' }).click();
  await expect.poll(async () => Number(await moment.inputValue())).toBeGreaterThan(0.5);
});

test('keys that a browser keeps for itself are sent by a menu', async () => {
  const proof = join(place.folder, 'keys-on-screen');
  await page.goto(`${place.url}/devices/${screen}?tab=screen`);
  await page.getByRole('button', { name: 'Take control' }).click();
  await proveIfAsked(connected());
  await expect(canvas()).toHaveAttribute('width', '1280');
  await clickScreen();
  await enter(`clear; cat -v > ${proof}\n`);
  await expect.poll(() => existsSync(proof)).toBe(true);
  await page.getByRole('button', { name: 'Keys', exact: true }).click();
  await page.getByRole('menuitem', { name: 'F11' }).click();
  await enter('\n');
  await page.keyboard.press('Control+d');
  await expect.poll(() => readFileSync(proof, 'utf8')).toContain('^[[23~');
});

test('a screen is fitted, shown pixel by pixel, and fills the display', async () => {
  const width = async () => Math.round((await canvas().boundingBox())?.width ?? 0);
  const fitted = await width();
  expect(fitted).toBeLessThan(1280);
  await page.getByRole('button', { name: '1:1' }).click();
  await expect.poll(() => canvas().evaluate((one) => one.getBoundingClientRect().width / (one as HTMLCanvasElement).width)).toBe(1);
  await page.getByRole('button', { name: 'Fit' }).click();
  await expect.poll(width).toBe(fitted);
  await page.getByRole('button', { name: 'Full screen' }).click();
  await expect(page.getByRole('button', { name: 'Leave full screen' })).toBeVisible();
  expect(await page.evaluate(() => document.fullscreenElement?.className)).toBe('screen');
  await page.getByRole('button', { name: 'Leave full screen' }).click();
  await expect(page.getByRole('button', { name: 'Full screen', exact: true })).toBeVisible();
});

/** Fills the terminal with letters of all colours, as many as make a photograph of it, so often that the picture is never still; the same ones each time. */
const COLOURS = `
import random, sys, time
random.seed(7)
for picture in range(8):
    cell = lambda: "\\33[38;2;%d;%d;%d;48;2;%d;%d;%dm%c" % (*random.choices(range(256), k=6), random.randrange(33, 127))
    sys.stdout.write("\\33[H" + "\\r\\n".join("".join(cell() for _ in range(110)) for _ in range(36)))
    sys.stdout.flush()
    time.sleep(0.25)
sys.stdout.write("\\33[0m")
`;

test('a lower quality is asked of the device, fewer bytes come for the same pictures, and the screen goes on', async () => {
  const proof = join(place.folder, 'low-quality');
  writeFileSync(join(place.folder, 'colours.py'), COLOURS);
  const cdp = await context.newCDPSession(page);
  let came = 0;
  await cdp.send('Network.enable');
  cdp.on('Network.webSocketFrameReceived', ({ response }) => (came += (response.payloadData.length * 3) / 4)); // in base64
  const take = async (quality: RegExp) => {
    await page.getByRole('button', { name: 'Quality' }).click();
    await page.getByRole('menuitem', { name: quality }).click();
    await page.getByRole('button', { name: 'Quality' }).click();
    await expect(page.getByRole('menuitem', { name: quality })).toHaveAttribute('aria-current', /true/);
    await page.keyboard.press('Escape');
  };
  const bytesFor = async (quality: RegExp, name: string) => {
    await take(quality);
    await clickScreen();
    const before = came;
    await written(name, 'python3 colours.py >/dev/tty; clear; echo');
    return came - before;
  };
  const best = await bytesFor(/^Best/, 'best');
  const small = await bytesFor(/^Small/, 'small');
  console.log(`${Math.round(best / 1024)} KiB at the best quality, ${Math.round(small / 1024)} KiB at the lowest`);
  expect(best).toBeGreaterThan(300_000);
  expect(small / best).toBeLessThan(0.7);
  await cdp.detach();
  const picture = () => canvas().evaluate((one) => (one as HTMLCanvasElement).toDataURL());
  const before = await picture();
  await clickScreen();
  await enter(`clear; touch ${proof}\n`);
  await expect.poll(() => existsSync(proof)).toBe(true);
  await expect.poll(picture).not.toBe(before);
});

test('the clipboard goes both ways by a dialog, and not by itself', async () => {
  await clickScreen();
  await enter("clear; printf 'copied there: \\303\\244 \\342\\202\\254' | xclip -se c\n");
  const button = page.getByRole('button', { name: /^Clipboard/ });
  await expect(button).toContainText('new');
  await page.evaluate(() => navigator.clipboard.writeText('mine: ö 日本\nin two lines'));
  await button.click();
  const dialog = page.getByRole('dialog', { name: 'Clipboard' });
  await expect(dialog.getByLabel('From the device')).toHaveValue('copied there: ä €');
  await accessible(page, 'clipboard');
  await dialog.getByRole('button', { name: 'Take from this computer' }).click();
  await expect(dialog.getByLabel('To the device')).toHaveValue('mine: ö 日本\nin two lines');
  await dialog.getByRole('button', { name: 'Copy to this computer' }).click();
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe('copied there: ä €');
  await dialog.getByRole('button', { name: 'Send to the device' }).click();
  await expect(dialog).toHaveCount(0);
  await clickScreen();
  const paste = 'xclip -se c -o';
  expect(await written('pasted', `until ${paste} | grep -q mine; do sleep 0.2; done; ${paste}`)).toBe('mine: ö 日本\nin two lines');
});

test('the display follows the window, where the device can, and says so where it cannot', async () => {
  const shown = async () => [await canvas().getAttribute('width'), await canvas().getAttribute('height')].map(Number);
  const wanted = () => page.locator('.screen__place').evaluate((one) => [Math.floor(one.clientWidth), Math.floor(one.clientHeight)]);
  const keeps = page.getByText('This display keeps its size');
  await page.getByRole('button', { name: 'Resize' }).click();
  for (const [step, window] of [{ width: 1440, height: 900 }, { width: 1180, height: 760 }].entries()) {
    await page.setViewportSize(window);
    await expect.poll(async () => `${await shown()}`).toBe(`${await wanted()}`);
    const [width, height] = await wanted();
    expect(width).toBeLessThan(1280);
    await clickScreen();
    expect(await written(`size-${step}`, 'clear; xrandr --current')).toContain(`current ${width} x ${height},`);
  }
  await expect(keeps).toHaveCount(0);
  await accessible(page, 'screen-resized');

  // A display that is switched off takes no size.
  expect(await written('off', 'clear; xrandr --output VNC-0 --off')).toBe('');
  await page.setViewportSize({ width: 1440, height: 900 });
  await expect(keeps).toBeVisible();
  expect(await shown()).not.toEqual(await wanted());
  await page.getByRole('button', { name: 'Fit' }).click();
  await expect(keeps).toHaveCount(0);
  await clickScreen();
  expect(await written('on', 'clear; xrandr --output VNC-0 --mode 1280x800')).toBe('');
  await expect.poll(shown).toEqual([1280, 800]);
});

test('one of several monitors is chosen by a menu', async () => {
  const shown = async () => [await canvas().getAttribute('width'), await canvas().getAttribute('height')].map(Number);
  const set = (name: string, left: number, output: string) => `xrandr --setmonitor ${name} 640/100x800/100+${left}+0 ${output}`;
  await clickScreen();
  expect(await written('monitors', `clear; ${set('left', 0, 'VNC-0')}; ${set('right', 640, 'none')}`)).toBe('');
  await page.getByRole('button', { name: 'End session' }).click();
  await page.getByRole('button', { name: 'End it?' }).click();
  await expect(page.getByText('The session has ended')).toBeVisible();
  await page.reload();
  await page.getByRole('button', { name: 'Take control' }).click();
  await proveIfAsked(connected());
  await expect(canvas()).toHaveAttribute('width', '1280');
  const menu = (shown: string) => page.getByRole('toolbar', { name: 'Screen' }).getByRole('button', { name: shown });
  await menu('All monitors').click();
  await page.getByRole('menuitem', { name: 'right, 640 × 800' }).click();
  await expect.poll(shown).toEqual([640, 800]);
  await menu('right, 640 × 800').click();
  await page.getByRole('menuitem', { name: 'All monitors' }).click();
  await expect.poll(shown).toEqual([1280, 800]);
});

test('nothing was blocked by the policy and nothing threw', () => {
  expect(faults).toEqual([]);
});
