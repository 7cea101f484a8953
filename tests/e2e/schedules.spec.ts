import { expect, test } from '@playwright/test';
import { code, faults, moveIn, page, place } from './support/office.js';
import { proofsAge } from './support/past.js';
import { keep, seen } from './support/pictures.js';
import { enrol } from './support/remote.js';
import { accessible, authorize, look, writeScript } from './support/steps.js';

/** A schedule from its publication to its end, on one real device. */
moveIn();

test('a device is there, and a script', async () => {
  await enrol(place.agent('a'));
  await page.goto(`${place.url}/automation/schedules`);
  await expect(page.getByText('No schedule yet')).toBeVisible();
  await accessible(page, 'schedules-none');
  await writeScript(page, place, { name: 'minutely', text: 'echo "unattended as promised"' });
});

test('a schedule is published from the script, after reading what it means', async () => {
  await page.getByRole('link', { name: 'Schedule', exact: true }).click();
  await page.getByLabel('Name', { exact: true }).fill('Minutely');
  await page.getByLabel('Expression').fill('every day');
  await expect(page.getByText(/must be five fields/)).toBeVisible();
  await page.getByLabel('Expression').fill('* * * * *');
  await page.getByLabel('Time zone').fill('Europe/Berlin');
  await expect(page.getByText('Runs every minute')).toBeVisible();
  await page.getByLabel('Not before').fill('00:00');
  await page.getByLabel('Not after').fill('23:59');
  await page.getByRole('checkbox', { name: 'Monday' }).check();
  await look(page, 'schedule-days');
  await page.getByRole('checkbox', { name: 'Monday' }).uncheck();
  await page.getByLabel('Not before').fill('');
  await page.getByLabel('Not after').fill('');
  await page.getByRole('button', { name: 'All approved devices' }).click();
  await expect(page.getByRole('list', { name: 'Chosen devices' }).getByRole('listitem')).toHaveCount(1);
  await accessible(page, 'schedule-new');
  await keep(page, 'schedule-new');
  await look(page, 'schedule-new');
  await page.getByRole('button', { name: 'Publish on 1 device' }).click();
  await expect(page.getByRole('dialog')).toContainText('unattended, every minute');
  await accessible(page, 'authorize-schedule');
  await authorize(page, code, 'schedule');
  await expect(page.getByRole('link', { name: 'Minutely' })).toBeVisible();
  await accessible(page, 'schedules');
  await keep(page, 'schedules');
  await look(page, 'schedules');
});

test('its occurrences are jobs with what the device said', async () => {
  await page.getByRole('link', { name: 'Minutely' }).click();
  const job = page.getByRole('link', { name: 'What they said' }).first();
  // The next full minute.
  await expect(job).toBeVisible({ timeout: 100_000 });
  await accessible(page, 'schedule');
  await keep(page, 'schedule');
  await look(page, 'schedule');
  await job.click();
  await expect(page.getByText('unattended as promised')).toBeVisible({ timeout: 30_000 });
});

test('an edit makes it void, and the page says how to go on', async () => {
  await page.goto(`${place.url}/scripts`);
  await page.getByRole('link', { name: 'minutely' }).first().click();
  await page.locator('.cm-content').click();
  await page.keyboard.press('Control+End');
  await page.keyboard.insertText('\necho more');
  await page.getByRole('button', { name: 'Save as v2' }).click();
  await expect(page.getByText('v2').first()).toBeVisible();
  await page.goto(`${place.url}/automation/schedules`);
  await page.getByRole('link', { name: 'Minutely' }).click();
  await expect(page.getByText('Its script has a newer version')).toBeVisible();
  await look(page, 'schedule-void');
  await page.getByRole('link', { name: 'Publish anew' }).click();
  await expect(page.getByLabel('Name', { exact: true })).toHaveValue('Minutely');
  await expect(page.getByLabel('Expression')).toHaveValue('* * * * *');
  await page.getByRole('button', { name: 'Publish on 1 device' }).click();
  await authorize(page, code, 'schedule-anew');
  await page.getByRole('link', { name: 'Minutely' }).first().click();
  await page.getByRole('button', { name: 'Pause' }).click();
  await expect(page.getByRole('button', { name: 'Resume' })).toBeVisible();
});

test('STEP-09: it goes on by a factor that is proved now, where the last proof is too old', async () => {
  proofsAge(place, 60);
  await page.reload();
  await page.getByRole('button', { name: 'Resume' }).click();
  const dialog = page.getByRole('dialog', { name: 'Prove it is you' });
  await expect(dialog).toContainText('Minutely runs unattended again');
  expect(await seen(page, 'schedule-resume')).toEqual([]);
  await dialog.getByLabel(/code/i).fill(await code());
  await expect(dialog).toHaveCount(0);
  await expect(page.getByRole('button', { name: 'Pause' })).toBeVisible();
  // The proof was for the session: until it is old too, nothing is asked.
  await page.getByRole('button', { name: 'Pause' }).click();
  await page.getByRole('button', { name: 'Resume' }).click();
  await expect(page.getByRole('button', { name: 'Pause' })).toBeVisible();
  expect(faults).toEqual([]);
});
