import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, existsSync, openSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../../..');
const PROGRAMS = process.env['SALLYPORT_BIN_DIR'] ?? join(ROOT, 'target/debug');

async function freePort(): Promise<number> {
  return new Promise((done) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => done(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

export async function until<T>(what: string, attempt: () => T | undefined | Promise<T | undefined>): Promise<T> {
  const end = Date.now() + 60_000;
  while (Date.now() < end) {
    const value = await attempt();
    if (value !== undefined) return value;
    await new Promise((next) => setTimeout(next, 50));
  }
  throw new Error(`waited in vain for ${what}`);
}

/** The real server on SQLite and real agents, each a process of its own, in a folder that goes with the test. */
export class Installation {
  readonly folder = mkdtempSync(join(tmpdir(), 'sallyport-e2e-'));
  private readonly children: ChildProcess[] = [];
  url = '';
  setupLink = '';

  /** `env` adds settings, as an administrator gives them to the server's service. */
  async start(env: Record<string, string> = {}): Promise<this> {
    const port = await freePort();
    this.url = `http://localhost:${port}`;
    const link = join(this.folder, 'setup-link');
    const args = ['serve', '--listen', `127.0.0.1:${port}`, '--public-url', this.url, '--data-dir', join(this.folder, 'data'), '--setup-link-file', link];
    this.runAs(join(PROGRAMS, 'sallyport'), args, 'sallyport', env);
    await until('the server', async () => ((await fetch(`${this.url}/readyz`).catch(() => undefined))?.ok ? true : undefined));
    this.setupLink = await until('the set-up link', () => (existsSync(link) ? readFileSync(link, 'utf8') || undefined : undefined));
    return this;
  }

  /** Starts an agent that waits for its enrolment file; returns its folder. */
  agent(name: string): string {
    const state = join(this.folder, name);
    this.run('sallyport-agent', ['run', '--state', state]);
    return state;
  }

  /** An agent whose machine calls itself something hostile; false where this kernel lets nobody rename a machine. */
  hostileAgent(name: string, hostName: string): boolean {
    const renamed = ['--uts', 'sh', '-c', 'hostname "$0" && exec "$@"', hostName];
    if (spawnSync('unshare', [...renamed, 'true'], { stdio: 'ignore' }).status !== 0) return false;
    this.runAs('unshare', [...renamed, join(PROGRAMS, 'sallyport-agent'), 'run', '--state', join(this.folder, name)], 'sallyport-agent');
    return true;
  }

  /** Simulated devices that enrol with a file; false where the program for them was not built. */
  fleet(count: number, enrolment: string): boolean {
    if (!existsSync(join(PROGRAMS, 'sallyport-fleet'))) return false;
    this.run('sallyport-fleet', ['--enrolment', enrolment, '--count', String(count), '--state', join(this.folder, 'fleet')]);
    return true;
  }

  enrol(state: string, file: string): void {
    execFileSync(join(PROGRAMS, 'sallyport-agent'), ['enrol', file, '--state', state]);
  }

  status(state: string): string {
    return execFileSync(join(PROGRAMS, 'sallyport-agent'), ['status', '--state', state], { encoding: 'utf8' });
  }

  private run(program: string, args: string[]): void {
    this.runAs(join(PROGRAMS, program), args, program);
  }

  private runAs(program: string, args: string[], logName: string, env: Record<string, string> = {}): void {
    const log = openSync(join(this.folder, `${logName}.log`), 'a');
    this.children.push(spawn(program, args, { stdio: ['ignore', log, log], env: { ...process.env, ...env } }));
  }

  log(program: string): string {
    return readFileSync(join(this.folder, `${program}.log`), 'utf8');
  }

  async stop(): Promise<void> {
    for (const child of this.children) child.kill('SIGTERM');
    await Promise.all(this.children.map((child) => child.exitCode ?? new Promise((gone) => child.once('exit', gone))));
    rmSync(this.folder, { recursive: true, force: true });
  }
}
