import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from '@playwright/test';
import { until } from './support/installation.js';
import { approve, authorize, installer, setUp, watch } from './support/steps.js';

/** `cargo xtask demo` as somebody starts it who has just cloned the repository, from its first line to Ctrl-C. */
test.describe.configure({ mode: 'serial' });
// Where nothing was built yet it builds.
test.setTimeout(900_000);

const ROOT = resolve(import.meta.dirname, '../..');
/** What cargo sets for whom it starts, and what would look like another build to the next one. */
const CARGOS = ['CARGO_MANIFEST_DIR', 'CARGO_MANIFEST_PATH', 'CARGO_PKG_NAME', 'CARGO_PKG_VERSION', 'CARGO_CRATE_NAME', 'CARGO_PRIMARY_PACKAGE'];

class Demo {
  readonly dir: string;
  said = '';
  private readonly child: ChildProcess;
  private readonly over: Promise<number | null>;

  constructor(dir: string, port: number) {
    this.dir = dir;
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !CARGOS.includes(name)));
    this.child = spawn('cargo', ['xtask', 'demo', '--dir', dir, '--port', String(port)], { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.child.stdout, this.child.stderr]) stream?.on('data', (piece: Buffer) => (this.said += piece.toString()));
    this.over = new Promise((done) => this.child.once('exit', (code) => done(code)));
  }

  /** What it prints, once it is there. */
  async says(wanted: RegExp): Promise<string> {
    for (;;) {
      const found = wanted.exec(this.said)?.[1];
      if (found) return found;
      if (this.child.exitCode !== null) throw new Error(`it ended:\n${this.said}`);
      await new Promise((next) => setTimeout(next, 50));
    }
  }

  pid(name: string): number {
    return Number(readFileSync(join(this.dir, `${name}.pid`), 'utf8'));
  }

  async end(signal: NodeJS.Signals): Promise<number | null> {
    this.child.kill(signal);
    return this.over;
  }
}

const lives = (pid: number) => existsSync(`/proc/${pid}`);
const fact = (pid: number, name: string) => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
const isRoot = process.getuid?.() === 0;

async function answers(port: number): Promise<boolean> {
  return new Promise((done) => {
    const probe = connect(port, '127.0.0.1', () => done(true));
    probe.once('error', () => done(false));
    probe.once('close', () => probe.destroy());
  });
}

async function freePort(): Promise<number> {
  return new Promise((done) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => done(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

let folder: string;
let demo: Demo;
/** The program of the command that the demo prints. */
let agent: string;
let port: number;

test.beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-demo-'));
  port = await freePort();
});

test.afterAll(async () => {
  await demo.end('SIGKILL');
  for (const name of ['server', 'agent']) {
    if (existsSync(join(demo.dir, `${name}.pid`)) && lives(demo.pid(name))) process.kill(demo.pid(name), 'SIGKILL');
  }
  rmSync(folder, { recursive: true, force: true });
});

test('the demo says what it does, and its link makes the owner, once', async ({ page }) => {
  demo = new Demo(join(folder, 'demo'), port);
  const setupLink = await demo.says(/set up {6}(http\S+)/);
  expect(demo.said.trimStart(), 'the first line says what comes').toMatch(/^Sallyport demo: builds the server, the console and the agent/);
  expect(setupLink).toContain(`http://localhost:${port}/setup#`);

  const pid = demo.pid('agent');
  expect(readlinkSync(`/proc/${pid}/exe`), 'the real agent').toMatch(/\/debug\/sallyport-agent$/);
  expect(fact(pid, 'CapEff'), 'it waits without any privilege').toMatch(/^0+$/);
  if (isRoot) expect([fact(pid, 'CapBnd'), fact(pid, 'NoNewPrivs')]).toEqual([expect.stringMatching(/^0+$/), '1']);
  agent = await demo.says(/^ {4}(\S+) enrol FILE --state \S+\/agent$/m);
  const status = () => execFileSync(agent, ['status', '--state', join(demo.dir, 'agent')], { encoding: 'utf8' });
  expect(await until('its status', () => (existsSync(join(demo.dir, 'agent/status.json')) ? status() : undefined))).toContain('waiting for an enrolment file');
  expect(status()).toContain('Nobody');

  const faults = watch(page);
  const place = { url: `http://localhost:${port}`, setupLink, folder };
  const { authenticator } = await setUp(page, place);
  await expect(page.getByText(/No devices? yet/i).first()).toBeVisible();
  const again = await page.request.post(`${place.url}/v1/setup/start`, {
    data: { token: setupLink.split('#')[1], tenant_name: 'Other', name: 'Other', email: 'other@northwind.example', password: 'spruce-Wharf-3-lantern' },
  });
  expect(again.status(), 'the link worked once').toBe(404);

  // The command that it printed.
  const file = await installer(page, place, 1, () => authorize(page, () => authenticator.soon(), 'demo'));
  execFileSync(agent, ['enrol', file, '--state', join(demo.dir, 'agent')]);
  await approve(page, place, 1);
  await page.goto(`${place.url}/devices`);
  await expect(page.getByText('Online')).not.toHaveCount(0);
  expect(demo.pid('agent'), 'it began anew once it was enrolled').not.toBe(pid);
  expect(lives(pid)).toBe(false);
  if (isRoot) expect(fact(demo.pid('agent'), 'CapEff')).not.toMatch(/^0+$/);
  expect(faults).toEqual([]);
});

test('Ctrl-C stops all of it in order, and the next start goes on from there', async ({ page }) => {
  const before = [demo.pid('server'), demo.pid('agent')];
  expect(before.every(lives) && (await answers(port))).toBe(true);
  expect(await demo.end('SIGINT'), demo.said).toBe(0);
  expect(demo.said).toContain('stopping');
  expect([before.some(lives), await answers(port)]).toEqual([false, false]);
  for (const name of ['server', 'agent']) expect(existsSync(join(demo.dir, `${name}.pid`))).toBe(false);
  expect(readFileSync(join(demo.dir, 'server.log'), 'utf8'), 'the server was told, and not killed').toContain('stopping');

  demo = new Demo(demo.dir, port);
  expect(await demo.says(/sign in {5}(http\S+)/)).toBe(`http://localhost:${port}/`);
  expect(demo.said).not.toContain('set up');
  await page.goto(`http://localhost:${port}/`);
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
  await until('the agent, enrolled as before', () => {
    const said = execFileSync(agent, ['status', '--state', join(demo.dir, 'agent')], { encoding: 'utf8' });
    return said.includes('waiting for an enrolment') ? undefined : said;
  });
  expect(await demo.end('SIGTERM'), demo.said).toBe(0);
  expect(await answers(port)).toBe(false);
});
