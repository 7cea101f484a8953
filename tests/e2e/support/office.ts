import { type BrowserContext, type BrowserContextOptions, type Page, test } from '@playwright/test';
import { Installation } from './installation.js';
import { type Owner, setUp, watch } from './steps.js';

/** One installation and its owner at the console, for all tests of a file. There from before the first test until after the last. */
export let place: Installation;
export let owner: Owner;
export let context: BrowserContext;
export let page: Page;
/** What the content security policy blocked, what threw, and which dialogs opened. Stays empty. */
export let faults: string[];

/** The owner's next code. */
export const code = () => owner.authenticator.soon();

interface Wanted {
  /** A cable that can be cut lies between browsers and the server. */
  cabled?: boolean;
  /** Settings of the server, as its administrator gives them. */
  env?: Record<string, string>;
  /** What the owner's browser may do. */
  permissions?: BrowserContextOptions['permissions'];
}

/** Sets the office up for this file, whose tests each go on where the one before left it. What is wanted is asked for once earlier hooks have run. */
export function moveIn(wanted: () => Wanted = () => ({})): void {
  test.describe.configure({ mode: 'serial' });
  test.beforeAll(async ({ browser }) => {
    const { permissions, ...settings } = wanted();
    place = await new Installation().start(settings);
    context = await browser.newContext({ permissions });
    page = await context.newPage();
    faults = watch(page);
    owner = await setUp(page, place);
  });
  test.afterAll(async () => {
    await context.close();
    await place.stop();
  });
}
