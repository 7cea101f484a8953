import { expect, test } from '@playwright/test';
import { code, context, faults, moveIn, owner, page, place } from './support/office.js';
import { sessionsAge } from './support/past.js';
import { keep, seen } from './support/pictures.js';
import { accessible, authorize, keepCodes, look, OWNER, signIn } from './support/steps.js';

moveIn(() => ({ permissions: ['clipboard-read', 'clipboard-write'] }));


test('SES-07: the cookie is the host\'s alone and out of reach of scripts, and no token lies in storage', async () => {
  const cookies = await context.cookies();
  expect(cookies.map((one) => one.name)).toEqual(['__Host-sallyport']);
  const [cookie] = cookies;
  expect(cookie).toMatchObject({ httpOnly: true, secure: true, sameSite: 'Strict', path: '/' });
  const seen = await page.evaluate(() => JSON.stringify([document.cookie, { ...localStorage }, { ...sessionStorage }, location.href]));
  expect(seen).not.toContain(cookie?.value);
  expect(Object.keys(await page.evaluate(() => ({ ...localStorage }))).filter((key) => /token|session|cookie/i.test(key))).toEqual([]);
  expect(`${cookie?.value}`).not.toMatch(/robin|northwind/i);
});

test('SES-07: the browser\'s key signs and cannot be exported', async () => {
  const exported = await page.evaluate(async () => {
    const outcomes: string[] = [];
    for (const { name } of await indexedDB.databases()) {
      const db = await new Promise<IDBDatabase>((done) => (indexedDB.open(name ?? '').onsuccess = (event) => done((event.target as IDBOpenDBRequest).result)));
      for (const store of db.objectStoreNames) {
        const all = await new Promise<unknown[]>((done) => (db.transaction(store).objectStore(store).getAll().onsuccess = (event) => done((event.target as IDBRequest<unknown[]>).result)));
        for (const key of all.flatMap((one) => (one instanceof CryptoKey ? [one] : Object.values(one as object))).filter((one): one is CryptoKey => one instanceof CryptoKey && one.type === 'private'))
          outcomes.push(await crypto.subtle.exportKey('jwk', key).then(() => 'exported', () => 'refused'));
      }
    }
    return outcomes;
  });
  expect(exported.length).toBeGreaterThan(0);
  expect(new Set(exported)).toEqual(new Set(['refused']));
});

test('keys alone: the sheet, the palette, and going somewhere', async () => {
  await page.locator('main').focus();
  await page.keyboard.press('?');
  await expect(page.getByRole('dialog', { name: 'Keys and help' })).toBeVisible();
  await accessible(page, 'keys');
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await page.keyboard.press('Control+k');
  await expect(page.getByRole('combobox', { name: 'Search or act' })).toBeFocused();
  await page.keyboard.type('audit');
  await accessible(page, 'palette');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/\/audit/);
  await page.keyboard.press('g');
  await page.keyboard.press('p');
  await expect(page).toHaveURL(/\/profile/);
});

test('PWD-15: a wrong password, a wrong code and an unknown address get the same words', async () => {
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
  await accessible(page, 'sign-in');
  await look(page, 'sign-in');
  const said: string[] = [];
  for (const given of [{ password: 'seven lanterns cross the harbour', code: '135790' }, { code: '135790' }]) {
    await page.reload();
    await signIn(page, given);
    const fault = page.locator('#sign-in-fault');
    await expect(fault).toBeVisible();
    said.push((await fault.innerText()).replace(/[0-9a-f-]{16,}|req_\S+/g, ''));
    expect(await page.locator('#password').inputValue(), 'the password is kept').not.toBe('');
  }
  await page.reload();
  await page.locator('#email').fill('nobody@northwind.example');
  await page.locator('#password').fill(OWNER.password);
  await page.locator('#code').fill('135790');
  await expect(page.locator('#sign-in-fault')).toBeVisible();
  said.push((await page.locator('#sign-in-fault').innerText()).replace(/[0-9a-f-]{16,}|req_\S+/g, ''));
  expect(new Set(said).size, said.join(' | ')).toBe(1);
});

test('PWD-06: a password manager finds its fields, and what is pasted arrives whole', async () => {
  await page.reload();
  await expect(page.locator('#email')).toHaveAttribute('autocomplete', /username/);
  await expect(page.locator('#password')).toHaveAttribute('autocomplete', /current-password/);
  await expect(page.locator('#code')).toHaveAttribute('autocomplete', /one-time-code/);
  const pasted = `  ${'made by a manager &<>"\' '.repeat(8)} `;
  await page.evaluate((text) => navigator.clipboard.writeText(text), pasted);
  await page.locator('#password').click();
  await page.keyboard.press('Control+v');
  await expect(page.locator('#password')).toHaveValue(pasted);
  await page.locator('#password').fill('');
  await page.evaluate((text) => navigator.clipboard.writeText(text), OWNER.password);
  await page.locator('#email').fill(OWNER.email);
  await page.locator('#password').click();
  await page.keyboard.press('Control+v');
  await page.locator('#code').fill(await owner.authenticator.soon());
  await expect(page).toHaveURL(/\/devices/);
  // Where one is chosen, too.
  await page.goto(`${place.url}/profile`);
  await page.getByRole('button', { name: 'Change password' }).click();
  const fresh = page.locator('input[autocomplete="new-password"]');
  await fresh.click();
  await page.keyboard.press('Control+v');
  await expect(fresh).toHaveValue(OWNER.password);
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
});

test('REC-03, REC-09: a recovery code signs in once, to a session that shows and does nothing', async () => {
  await page.reload();
  await signIn(page, { recovery: owner.recoveryCodes[0] ?? '' });
  await expect(page.getByRole('heading', { name: 'You are in, restricted' })).toBeVisible();
  await accessible(page, 'restricted');
  await keep(page, 'restricted');
  await look(page, 'restricted');
  await page.goto(`${place.url}/devices`);
  await expect(page.getByRole('heading', { name: 'You are in, restricted' })).toBeVisible();
  await page.getByRole('button', { name: /Sign out/ }).click();
  await signIn(page, { recovery: owner.recoveryCodes[0] ?? '' });
  await expect(page.locator('#sign-in-fault')).toBeVisible();
});

test('SES-05, SES-06: another browser\'s session is seen and ended, locks in place within seconds, and keeps its draft', async ({ browser }) => {
  await page.reload();
  await signIn(page, { code: await owner.authenticator.soon() });
  await expect(page).toHaveURL(/\/devices/);

  const elsewhere = await browser.newContext();
  const other = await elsewhere.newPage();
  await other.goto(`${place.url}/scripts/new`);
  await signIn(other, { code: await owner.authenticator.soon() });
  await other.locator('#script-name').fill('half-done');
  await other.locator('.cm-content').click();
  await other.keyboard.type('echo "do not lose me"');

  await page.goto(`${place.url}/profile`);
  await expect(page.getByRole('heading', { name: 'Sessions' })).toBeVisible();
  const sessions = page.locator('.sessions > li');
  await expect(sessions).toHaveCount(2);
  for (const one of [0, 1]) await expect(sessions.nth(one)).toContainText(/Chromium on Linux.*127\.0\.0\.1 · password and code · since .* · active .* · ends in /s);
  await expect(sessions.nth(0)).toContainText('This one');
  await expect(sessions.nth(1)).not.toContainText('This one');
  await look(page, 'profile-sessions');
  await page.getByRole('button', { name: 'End', exact: true }).click();
  await page.getByRole('button', { name: 'End it?' }).click();
  const ended = Date.now();
  await expect(other.getByRole('dialog', { name: 'Your session ended' })).toBeVisible({ timeout: 5000 });
  console.log(`locked ${Date.now() - ended} ms after the other browser ended it`);
  await expect(page.locator('.sessions > li')).toHaveCount(1);
  await keep(other, 'locked');
  await look(other, 'locked');
  await accessible(other, 'lock');

  await signIn(other, { code: await owner.authenticator.soon(), inPlace: true });
  await expect(other.getByRole('dialog')).toHaveCount(0);
  await expect(other.locator('#script-name')).toHaveValue('half-done');
  await expect(other.locator('.cm-content')).toContainText('do not lose me');

  await page.reload();
  await expect(sessions).toHaveCount(2);
  await page.getByRole('button', { name: 'End all others' }).click();
  await page.getByRole('button', { name: 'End 1 session' }).click();
  await expect(other.getByRole('dialog', { name: 'Your session ended' })).toBeVisible({ timeout: 5000 });
  await expect(sessions).toHaveCount(1);
  await expect(page.getByRole('button', { name: 'End all others' })).toHaveCount(0);
  await elsewhere.close();
});

test('SES-05: a session that is over by time locks in place too, and keeps its draft', async ({ browser }) => {
  const context = await browser.newContext();
  const own = await context.newPage();
  await own.goto(`${place.url}/scripts/new`);
  await signIn(own, { code: await owner.authenticator.soon() });
  await own.locator('#script-name').fill('written before the end');
  await own.locator('.cm-content').click();
  await own.keyboard.type('echo "kept"');
  sessionsAge(place, 24);
  await own.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(own.getByRole('dialog', { name: 'Your session ended' })).toBeVisible();
  await signIn(own, { code: await owner.authenticator.soon(), inPlace: true });
  await expect(own.locator('#script-name')).toHaveValue('written before the end');
  await expect(own.locator('.cm-content')).toContainText('echo "kept"');
  await context.close();
  await page.goto(`${place.url}/profile`);
  await signIn(page, { code: await owner.authenticator.soon() });
  await expect(page.getByRole('heading', { name: 'Sessions' })).toBeVisible();
});

test('REC-11: new recovery codes go through the panel, and the old ones are dead', async () => {
  await page.getByRole('button', { name: 'Make new codes' }).click();
  await expect(page.getByRole('dialog')).toContainText('all your recovery codes');
  await authorize(page, code, 'codes');
  const fresh = await keepCodes(page, () => look(page, 'new-codes'));
  expect(fresh.filter((code) => owner.recoveryCodes.includes(code))).toEqual([]);
  await expect(page.getByText('10 left')).toBeVisible();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await signIn(page, { recovery: owner.recoveryCodes[1] ?? '' });
  await expect(page.locator('#sign-in-fault')).toBeVisible();
  await page.reload();
  await signIn(page, { recovery: fresh[0] ?? '' });
  await expect(page.getByRole('heading', { name: 'You are in, restricted' })).toBeVisible();
  expect(faults).toEqual([]);
});

test('PWD-04: a password that is known from a breach signs in with a code, and is changed before anything else', async () => {
  expect(place.importBreached([OWNER.password, 'another one of them'])).toContain('Imported 2 passwords');
  await page.getByRole('button', { name: /Sign out/ }).first().click();
  await signIn(page, { code: await owner.authenticator.soon() });
  await expect(page.getByRole('heading', { name: 'Choose another password' })).toBeVisible();
  expect(await seen(page, 'breached')).toEqual([]);
  await keep(page, 'breached');
  await page.goto(`${place.url}/scripts`);
  await expect(page.getByRole('heading', { name: 'Choose another password' })).toBeVisible();
  await page.locator('#breached-current').fill(OWNER.password);
  await page.locator('#breached-fresh').fill('four herons guard the old mill');
  await page.locator('.proof input').first().fill(await owner.authenticator.soon());
  await expect(page.getByRole('heading', { name: 'Scripts' })).toBeVisible();
  expect(faults).toEqual([]);
});
