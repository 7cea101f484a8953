import { expect, test } from '@playwright/test';
import { faults, moveIn, page, place } from './support/office.js';
import { enrol } from './support/remote.js';
import { accessible } from './support/steps.js';

/** Two real agents and nobody else: what the list shows of them is what their links are. */
moveIn();

/** How many of the two the list shows in a state. */
const shows = async (online: number) => {
  const rows = page.getByRole('table').getByRole('row').filter({ has: page.getByRole('link') });
  const at = (word: string) => rows.filter({ has: page.locator('.c-phone .status', { hasText: word }) });
  await expect(at('Online')).toHaveCount(online);
  await expect(at('Offline')).toHaveCount(2 - online);
  await expect(page.locator('.head__sub')).toHaveText(`2 · ${online} online`);
  await expect(page.getByRole('tab', { name: /^Offline/ })).toHaveText(new RegExp(`^Offline\\s*${2 - online}$`));
};

test('a device that loses its power goes offline in the list, and comes back in it, without a reload', async () => {
  await enrol(place.agent('one'), place.agent('two'));
  await page.goto(`${place.url}/devices`);
  await shows(2);
  await expect(page.locator('.foot').getByText('Live')).toBeVisible();
  // A page that was loaded again has forgotten this.
  await page.evaluate(() => Object.assign(window, { loadedOnce: true }));
  const loads: string[] = [];
  page.on('framenavigated', (frame) => loads.push(frame.url()));

  await place.powerCut('one');
  await shows(1);
  await accessible(page, 'devices, one offline');
  await place.powerCut('two');
  await shows(0);
  place.agent('one');
  await shows(1);
  place.agent('two');
  await shows(2);

  expect(loads).toEqual([]);
  expect(await page.evaluate(() => 'loadedOnce' in window)).toBe(true);
});

test('so does its own page', async () => {
  await page.getByRole('table').getByRole('link').first().click();
  const state = page.locator('.head');
  await expect(state).toContainText('Online');
  await place.powerCut('one');
  await place.powerCut('two');
  await expect(state).toContainText('Offline');
  place.agent('one');
  place.agent('two');
  await expect(state).toContainText('Online');
});

test('nothing was blocked by the policy and nothing threw', () => {
  expect(faults).toEqual([]);
});
