import { expect, test } from '@playwright/test';
import { context, faults, moveIn, page, place } from './support/office.js';
import { connected, deviceId, enrol, line, otherTheme, proveIfAsked, rows, shows, type } from './support/remote.js';
import { accessible, look } from './support/steps.js';

/** What people are used to from their own terminal, in the console's. */
moveIn(() => ({ permissions: ['clipboard-read', 'clipboard-write'] }));

let device: string;

const copied = () => page.evaluate(() => navigator.clipboard.readText());

/** Where this text stands on the page, in the last line that has it. */
async function whereIs(text: string): Promise<{ x: number; y: number; width: number; height: number }> {
  const box = await rows().evaluate((lines, wanted) => {
    const walker = document.createTreeWalker(lines, NodeFilter.SHOW_TEXT);
    let found: DOMRect | undefined;
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const at = (node.textContent ?? '').indexOf(wanted);
      if (at < 0) continue;
      const range = document.createRange();
      range.setStart(node, at);
      range.setEnd(node, at + wanted.length);
      found = range.getBoundingClientRect();
    }
    return found && { x: found.x, y: found.y, width: found.width, height: found.height };
  }, text);
  if (!box) throw new Error(`${text} is not shown`);
  return box;
}

async function pointAt(text: string): Promise<{ x: number; y: number }> {
  const { x, y, width, height } = await whereIs(text);
  const middle = { x: x + width / 2, y: y + height / 2 };
  await page.mouse.move(middle.x, middle.y + 200); // a line is read for links when the pointer comes to it
  await page.mouse.move(middle.x, middle.y);
  return middle;
}

test.beforeAll(async () => {
  await enrol(place.agent('web'));
  device = await deviceId((links) => links);
  await page.goto(`${place.url}/devices/${device}?tab=terminal`);
  await page.getByRole('button', { name: 'Open a terminal' }).click();
  await proveIfAsked(connected());
  await line('PS1="> "; clear; echo ready-$((1 + 1))');
  await shows(/ready-2/);
});

test('a word is selected, copied and pasted', async () => {
  await line('clear; echo carrying-$((40 + 2))');
  await shows(/^carrying-42/m);
  const { x, y } = await pointAt('carrying-42');
  await page.mouse.dblclick(x, y);
  await page.locator('.xterm-helper-textarea').focus();
  await page.keyboard.press('Control+Shift+C');
  await expect.poll(copied).toBe('carrying-42');
  await type('echo "<');
  await page.keyboard.press('Control+Shift+V');
  await line('>"');
  await shows(/^<carrying-42>/m);
});

test('an address that is written out opens by Ctrl and click alone, and learns nothing of this page', async () => {
  await context.route('https://docs.example/**', (route) => route.fulfill({ contentType: 'text/html', body: '<title>docs</title>' }));
  await line('clear; echo see https://docs.example/a?b=1 there');
  await shows(/^see https:/m);
  const pages = context.pages().length;
  const { x, y } = await pointAt('https://docs.example/a?b=1');
  await page.mouse.click(x, y);
  expect(context.pages().length).toBe(pages);
  const opening = context.waitForEvent('page');
  await page.keyboard.down('Control');
  await page.mouse.click(x, y);
  await page.keyboard.up('Control');
  const opened = await opening;
  await opened.waitForLoadState();
  expect(opened.url()).toBe('https://docs.example/a?b=1');
  expect(await opened.evaluate(() => [window.opener, document.referrer])).toEqual([null, '']);
  await opened.close();
});

test('wide characters take two columns, and marks none', async () => {
  await line(`clear; printf '漢字|\\n1234|\\ne\\xcc\\x81a:\\nab:\\n'`);
  await shows(/^漢字\|/m);
  await shows(/^1234\|/m);
  const edges = await rows().evaluate((lines) =>
    Object.fromEntries(
      [...lines.children].flatMap((row) => {
        const text = (row.textContent ?? '').trimEnd();
        const last = [...row.querySelectorAll('span')].findLast((span) => /[|:]\s*$/.test(span.textContent ?? ''));
        const node = last?.firstChild;
        const at = (node?.textContent ?? '').search(/[|:]/);
        if (!node || at < 0 || !/^(漢字\||1234\||e\u0301a:|ab:)$/.test(text)) return [];
        const range = document.createRange();
        range.setStart(node, at);
        range.setEnd(node, at + 1);
        return [[text, range.getBoundingClientRect().left]];
      }),
    ),
  );
  expect(Object.keys(edges)).toHaveLength(4);
  expect(Math.abs((edges['漢字|'] ?? 0) - (edges['1234|'] ?? 99))).toBeLessThan(1);
  expect(Math.abs((edges['e\u0301a:'] ?? 0) - (edges['ab:'] ?? 99))).toBeLessThan(1);
});

test('what scrolled away is there, and typing leads back to the end', async () => {
  await line('clear; seq 1 300; echo the-end');
  await shows(/^the-end/m);
  for (let pages = 0; pages < 20; pages++) await page.keyboard.press('Shift+PageUp');
  await shows(/^1\s*$/m);
  await type(' ');
  await shows(/^the-end/m);
  await line('');
});

test('its colours are those of the theme', async () => {
  const ground = () =>
    page.evaluate(() => {
      const probe = document.createElement('i');
      probe.style.background = 'var(--term-bg)';
      document.body.append(probe);
      const wanted = getComputedStyle(probe).backgroundColor;
      probe.remove();
      const painted = [...document.querySelectorAll('[data-term] .xterm, [data-term] .xterm *')].some((one) => getComputedStyle(one).backgroundColor === wanted);
      return painted ? wanted : 'another';
    });
  await expect.poll(ground).toMatch(/^rgb/);
  const dark = await ground();
  await otherTheme();
  await expect.poll(ground).toMatch(/^rgb/);
  expect(await ground()).not.toBe(dark);
  await otherTheme();
  await expect.poll(ground).toBe(dark);
});

/** Grounds of the terminal: of its place on the page, and painted by the terminal itself; and the colour of what it writes in red. */
const painted = () =>
  page.evaluate(() => {
    const place = document.querySelector('[data-term]')!;
    const around = getComputedStyle(place).backgroundColor;
    const within = [...place.querySelectorAll('.xterm, .xterm *')].map((one) => getComputedStyle(one).backgroundColor);
    const red = [...place.querySelectorAll('.xterm-rows span')].findLast((one) => one.textContent?.includes('in-red'));
    return { around, within: within.includes(around), red: red && getComputedStyle(red).color };
  });

test('its colours are chosen by keys alone, whatever the console has, and a reload keeps them', async () => {
  await line("clear; printf '\\033[31min-red\\033[0m\\n'");
  await shows(/^in-red/m);
  const asConsole = await painted();
  expect(asConsole.within).toBe(true);
  const colours = page.getByRole('button', { name: 'Colours', exact: true });
  await page.keyboard.press('Control+Shift+X'); // out of the terminal
  await expect(page.locator('.sessionbar button').first()).toBeFocused();
  await page.keyboard.press('Tab');
  await expect(colours).toBeFocused();
  await page.keyboard.press('Enter');
  await page.keyboard.press('l');
  await expect(page.getByRole('menuitem', { name: 'Light' })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(colours).toBeFocused();
  await expect.poll(painted).toEqual({ around: 'rgb(255, 255, 255)', within: true, red: 'rgb(172, 24, 37)' });
  await accessible(page, 'terminal-light-in-dark');

  await colours.click();
  await expect(page.getByRole('menuitem', { name: 'Light' })).toHaveAttribute('aria-current', 'true');
  await look(page, 'terminal-colours');
  await page.getByRole('menuitem', { name: 'High contrast' }).click();
  const contrast = { around: 'rgb(0, 0, 0)', within: true, red: 'rgb(255, 143, 143)' };
  await expect.poll(painted).toEqual(contrast);
  await look(page, 'terminal-contrast');
  await otherTheme(); // the console's changes nothing here
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'light');
  expect(await painted()).toEqual(contrast);
  await otherTheme();

  await page.reload();
  await page.getByRole('button', { name: 'Open a terminal' }).click();
  await proveIfAsked(connected());
  await line("PS1='> '; clear; printf '\\033[31min-red\\033[0m\\n'");
  await shows(/^in-red/m);
  await expect.poll(painted).toEqual(contrast);
  await colours.click();
  await page.getByRole('menuitem', { name: 'As the console' }).click();
  await expect.poll(painted).toEqual(asConsole);
});

test('another tab is another shell, and each keeps what it shows', async () => {
  const tabs = page.getByRole('tablist', { name: 'Open terminals' }).getByRole('tab');
  await line('clear; WHICH=first; echo $WHICH-shell');
  await shows(/^first-shell/m);
  await page.getByRole('button', { name: /^New terminal/ }).click();
  await expect(tabs).toHaveCount(2);
  await proveIfAsked(connected());
  await line('echo "[$WHICH]"; echo other-shell');
  await shows(/^other-shell/m);
  await shows(/^\[\]/m);
  await tabs.last().focus();
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('Enter');
  await expect(tabs.first()).toHaveAttribute('aria-selected', 'true');
  await shows(/^first-shell/m);
  expect(await rows().innerText()).not.toContain('other-shell');
  await line('echo $WHICH-again');
  await shows(/^first-again/m);
});

test('a shell of another account is that account\'s', async () => {
  await page.reload();
  await page.getByRole('button', { name: 'as root' }).click();
  await page.getByRole('menuitem', { name: 'Another account' }).click();
  await page.getByRole('dialog').getByLabel('Account').fill('daemon');
  await page.getByRole('dialog').getByRole('button', { name: 'Open a terminal' }).click();
  await proveIfAsked(connected());
  await expect(page.locator('.sessionbar')).toContainText('as daemon');
  await line('echo "I am $(id -un)"');
  await shows(/^I am daemon/m);
});

/** How many MiB: a gigabyte takes minutes, and holds no more. */
const FLOOD = Number(process.env['SALLYPORT_FLOOD'] ?? 16);

test('a flood of text passes the page in bounded memory, to the last line', async () => {
  test.setTimeout(150_000 + FLOOD * 2000);
  const [MiB, amount] = [1024 * 1024, FLOOD];
  const cdp = await context.newCDPSession(page);
  /** What the page holds on to, buffers and all, once its garbage is gone. */
  const held = async () => {
    await cdp.send('HeapProfiler.collectGarbage');
    const { usedSize, backingStorageSize } = await cdp.send('Runtime.getHeapUsage');
    return usedSize + backingStorageSize;
  };
  await line('clear; seq 1 20000; clear; echo warm-$((1 + 1))'); // its scrollback is full
  await shows(/^warm-2/m);
  const before = await held();
  const began = Date.now();
  await line(`head -c ${amount}M /dev/zero | tr '\\0' x | fold -w 79; echo; echo through-$((1 + 1))`);
  let most = 0;
  await expect
    .poll(async () => ((most = Math.max(most, await held())), (await rows().innerText()).replaceAll('\u00a0', ' ')), { timeout: 120_000 + FLOOD * 2000, intervals: [500] })
    .toMatch(/^through-2/m);
  console.log(`${amount} MiB in ${((Date.now() - began) / 1000).toFixed(1)} s; the page held ${(before / MiB).toFixed(1)} MiB before, ${(most / MiB).toFixed(1)} MiB at most`);
  expect(most - before).toBeLessThan(Math.min(amount / 2, 64) * MiB);
  await cdp.detach();
});

test('Ctrl and C ends a flood at once, whatever is still to be drawn', async () => {
  await line('clear; yes flooding');
  await expect.poll(async () => (await rows().innerText()).match(/^flooding$/gm)?.length ?? 0).toBeGreaterThan(10);
  await page.waitForFunction(() => document.activeElement?.matches('.xterm-helper-textarea'));
  const pressed = Date.now();
  await page.keyboard.press('Control+c');
  await expect.poll(async () => (await rows().innerText()).replaceAll('\u00a0', ' ').trimEnd(), { timeout: 8000, intervals: [100] }).toMatch(/\^C\n\S*[>$#]$/);
  console.log(`the prompt was back ${Date.now() - pressed} ms after Ctrl and C`);
  await line('clear; echo after-$((1 + 1))');
  await shows(/^after-2/m);
});

test('the code of an exit is told', async () => {
  await line('exit 7');
  await expect(page.locator('.termtab[aria-selected=true]')).toContainText('exit 7');
});

test('on a phone the search and what follows an end are in reach', async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  await page.getByRole('button', { name: 'Find' }).click();
  await expect(page.getByRole('button', { name: 'Close the search' })).toBeInViewport({ ratio: 1 });
  await page.getByRole('button', { name: 'Close the search' }).click();
  for (const name of ['Colours', 'Close tab', 'Open again']) await expect(page.getByRole('button', { name }), name).toBeInViewport({ ratio: 1 });
  await look(page, 'terminal-phone');
  await page.setViewportSize({ width: 1440, height: 900 });
});

test('on a phone versions stand under names, and sessions say whose they were', async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto(`${place.url}/search?name=libc6`);
  const version = page.getByRole('table', { name: 'What was found' }).locator('.table__sub.mono').first();
  await expect(version).toHaveText(/^\d/);
  await expect(version).toBeInViewport({ ratio: 1 });
  for (const label of ['Name', 'Version', 'Version to compare with']) await expect(page.getByLabel(label, { exact: true }), label).toBeInViewport({ ratio: 1 });
  await page.goto(`${place.url}/sessions?state=ended`);
  await expect(page.getByRole('row').filter({ hasText: 'Terminal' }).first().locator('.table__sub')).toHaveText(/^Robin Owner · (now|\d+ .* ago)$/);
  await page.goto(`${place.url}/devices/${device}?tab=terminal`);
  await page.setViewportSize({ width: 1440, height: 900 });
});

test('the palette leads to the terminal of a device by its name', async () => {
  const name = await page.getByRole('heading', { level: 1 }).innerText();
  await page.goto(`${place.url}/jobs`);
  await page.getByRole('button', { name: /Search or act/ }).click();
  await page.keyboard.type(`terminal ${name}`);
  await expect(page.getByRole('option', { name: new RegExp(`^Terminal on ${name} `) })).toHaveAttribute('aria-selected', 'true');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(`${place.url}/devices/${device}?tab=terminal`);
  await expect(page.getByRole('button', { name: 'Open a terminal' })).toBeVisible();
});

test('nothing was blocked by the policy and nothing threw', () => {
  expect(faults).toEqual([]);
});
