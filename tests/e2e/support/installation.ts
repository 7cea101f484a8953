import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, existsSync, openSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../../..');
export const PROGRAMS = process.env['SALLYPORT_BIN_DIR'] ?? join(ROOT, 'target/debug');

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

/** Stands between browsers and the server, and can be cut like a cable. Agents pass it untouched. */
export class Cable {
  url = '';
  private readonly browsers = new Set<Socket>();
  private server: Server | undefined;
  private whole = true;
  /** Bytes that browsers got through it. */
  carried = 0;
  /** Bytes that browsers gave. */
  given = 0;
  private cutAt = Number.POSITIVE_INFINITY;

  async lay(from: number, to: number): Promise<this> {
    this.url = `http://localhost:${from}`;
    this.server = createServer((near) => {
      near.once('data', (first) => this.join(near, first, to));
      near.on('error', () => near.destroy());
    });
    await new Promise<void>((done) => this.server?.listen(from, '127.0.0.1', done));
    return this;
  }

  private join(near: Socket, first: Buffer, to: number): void {
    const agent = first.subarray(0, 11).toString() === 'GET /agent/';
    if (!agent && !this.whole) return void near.destroy();
    const far = connect(to, '127.0.0.1', () => {
      far.write(first);
      near.pipe(far).pipe(near);
    });
    for (const [one, other] of [[near, far], [far, near]] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
    if (!agent) {
      this.browsers.add(near);
      far.on('data', (bytes) => this.count(bytes.length));
      near.on('data', (bytes) => (this.given += bytes.length));
    }
    near.on('close', () => this.browsers.delete(near));
  }

  private count(bytes: number): void {
    this.carried += bytes;
    if (this.carried >= this.cutAt) this.cut();
  }

  /** Cuts it once it has carried so much more to browsers. */
  cutAfter(bytes: number): void {
    this.cutAt = this.carried + bytes;
  }

  cut(): void {
    this.whole = false;
    this.cutAt = Number.POSITIVE_INFINITY;
    for (const socket of this.browsers) socket.destroy();
  }

  mend(): void {
    this.whole = true;
  }

  close(): void {
    this.cut();
    this.server?.close();
  }
}

/** The real server on SQLite and real agents, each a process of its own, in a folder that goes with the test. */
export class Installation {
  readonly folder = mkdtempSync(join(tmpdir(), 'sallyport-e2e-'));
  private readonly children: ChildProcess[] = [];
  private readonly agents = new Map<string, ChildProcess>();
  url = '';
  setupLink = '';

  cable: Cable | undefined;

  /** With a cable, browsers and agents reach the server through it. `env` adds settings, as an administrator gives them to the service. */
  async start({ cabled = false, env = {} }: { cabled?: boolean; env?: Record<string, string> } = {}): Promise<this> {
    const port = await freePort();
    if (cabled) this.cable = await new Cable().lay(await freePort(), port);
    this.url = this.cable?.url ?? `http://localhost:${port}`;
    const link = join(this.folder, 'setup-link');
    const args = ['serve', '--listen', `127.0.0.1:${port}`, '--public-url', this.url, '--data-dir', join(this.folder, 'data'), '--setup-link-file', link];
    this.runAs(join(PROGRAMS, 'sallyport'), args, 'sallyport', env);
    await until('the server', async () => ((await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined))?.ok ? true : undefined));
    this.setupLink = await until('the set-up link', () => (existsSync(link) ? readFileSync(link, 'utf8') || undefined : undefined));
    return this;
  }

  /** Starts an agent that waits for its enrolment file; returns its folder. */
  agent(name: string): string {
    const state = join(this.folder, name);
    this.agents.set(name, this.run('sallyport-agent', ['run', '--state', state]));
    return state;
  }

  /** Ends an agent as a power cut would; `agent` starts it again. */
  async powerCut(name: string): Promise<void> {
    const child = this.agents.get(name);
    if (!child?.pid || child.exitCode !== null || child.signalCode !== null) throw new Error(`${name} does not run`);
    const gone = new Promise((done) => child.once('exit', done));
    process.kill(child.pid, 'SIGKILL');
    await gone;
  }

  /** An agent whose machine calls itself something hostile; false where this kernel lets nobody rename a machine. */
  hostileAgent(name: string, hostName: string): boolean {
    const renamed = ['--uts', 'sh', '-c', 'hostname "$0" && exec "$@"', hostName];
    if (spawnSync('unshare', [...renamed, 'true'], { stdio: 'ignore' }).status !== 0) return false;
    this.runAs('unshare', [...renamed, join(PROGRAMS, 'sallyport-agent'), 'run', '--state', join(this.folder, name)], 'sallyport-agent');
    return true;
  }

  /**
   * An agent on a machine with a display of its own, which takes any size, and on which a terminal waits for keys; it sees no other processes or displays, and
   * neither systemd, journald nor anybody who is signed in, whatever machine the tests run on.
   */
  desktop(name: string): string {
    const state = join(this.folder, name);
    const script = [
      'hostname "$1"',
      'mkdir -p /tmp/.X11-unix && mount -t tmpfs -o mode=1777 none /tmp/.X11-unix',
      'for place in /run/log/journal /var/log/journal; do [ ! -d $place ] || mount -t tmpfs none $place; done',
      '[ ! -d /run/systemd/system ] || mount -t tmpfs none /run/systemd',
      '[ ! -e /run/utmp ] || mount --bind /dev/null /run/utmp',
      'Xtigervnc :97 -geometry 1280x800 -depth 24 -SecurityTypes None -rfbport -1 -nolisten tcp -nolock &',
      'while [ ! -S /tmp/.X11-unix/X97 ]; do sleep 0.1; done',
      '(cd && DISPLAY=:97 exec xterm -fa Monospace -fs 12 -geometry 120x38+0+0) &',
      'exec "$2" run --state "$3"',
    ].join('\n');
    const apart = ['--mount', '--uts', '--pid', '--fork', '--kill-child', '--mount-proc', 'sh', '-c', script, 'desktop'];
    this.runAs('unshare', [...apart, name, join(PROGRAMS, 'sallyport-agent'), state], 'sallyport-agent');
    return state;
  }

  /** Simulated devices that enrol with a file. */
  fleet(count: number, enrolment: string): void {
    this.run('sallyport-fleet', ['--enrolment', enrolment, '--count', String(count), '--state', join(this.folder, 'fleet')]);
  }

  enrol(state: string, file: string): void {
    execFileSync(join(PROGRAMS, 'sallyport-agent'), ['enrol', file, '--state', state]);
  }

  /** Imports a list of breached passwords on the server's own machine, one in each line; the server goes on running. */
  importBreached(passwords: string[]): string {
    const args = ['admin', 'passwords', 'import', '--data-dir', join(this.folder, 'data'), '-'];
    return execFileSync(join(PROGRAMS, 'sallyport'), args, { encoding: 'utf8', input: passwords.join('\n') });
  }

  status(state: string): string {
    return execFileSync(join(PROGRAMS, 'sallyport-agent'), ['status', '--state', state], { encoding: 'utf8' });
  }

  private run(program: string, args: string[]): ChildProcess {
    return this.runAs(join(PROGRAMS, program), args, program);
  }

  /** At home in its own folder: shells there read no profile of whoever runs the tests. */
  private runAs(program: string, args: string[], logName: string, env: Record<string, string> = {}): ChildProcess {
    const log = openSync(join(this.folder, `${logName}.log`), 'a');
    const child = spawn(program, args, { stdio: ['ignore', log, log], env: { ...process.env, HOME: this.folder, ...env } });
    this.children.push(child);
    return child;
  }

  log(program: string): string {
    return readFileSync(join(this.folder, `${program}.log`), 'utf8');
  }

  async stop(): Promise<void> {
    this.cable?.close();
    const running = this.children.filter((child) => child.exitCode === null && child.signalCode === null);
    for (const child of running) child.kill('SIGTERM');
    // A program that holds others in a namespace of their own lets no signal pass but this one.
    const late = setTimeout(() => running.forEach((child) => child.exitCode ?? child.kill('SIGKILL')), 5000);
    await Promise.all(running.map((child) => child.exitCode ?? new Promise((gone) => child.once('exit', gone))));
    clearTimeout(late);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
