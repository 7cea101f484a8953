import { execFileSync } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';

/** A machine with a systemd of its own, which `cargo xtask systemd-test` has booted: the first process there, and its file system. */
const { SALLYPORT_MACHINE: LEADER, SALLYPORT_MACHINE_ROOT: FOLDER } = process.env;

/** The program and its arguments that run a shell script there. */
export function there(script: string): [string, string[]] {
  if (!LEADER) throw new Error('no machine: cargo xtask systemd-test boots one');
  return ['nsenter', ['--target', LEADER, '--mount', '--uts', '--ipc', '--pid', '--root', '--wd', '--', '/bin/sh', '-ec', script]];
}

export const ENVIRONMENT = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root', LC_ALL: 'C' };

/** Runs a shell script there; what it says. Throws where one of its commands fails. */
export function run(script: string): string {
  return execFileSync(...there(script), { encoding: 'utf8', env: ENVIRONMENT, stdio: ['ignore', 'pipe', 'pipe'] }).trim();
}

/** One word about a unit, as systemd itself says it. */
export const shown = (property: string, unit: string) => run(`systemctl show -P ${property} ${unit}`);

export function write(path: string, text: string): void {
  execFileSync(...there(`cat > ${path}`), { env: ENVIRONMENT, input: text });
}

/** The agent there obeys whoever made this file, and nobody whom it obeyed before. Its smallest of systems does not know by itself what localhost is. */
export function enrol(file: string): void {
  run("grep -qs localhost /etc/hosts || echo '127.0.0.1 localhost' >> /etc/hosts");
  run('systemctl stop sallyport-agent && rm -rf /var/lib/sallyport-agent && systemctl start sallyport-agent');
  run('for i in $(seq 40); do sallyport-agent status | grep -q Nobody && exit; sleep 0.25; done; exit 1');
  copyFileSync(file, join(FOLDER ?? '', 'opt/enrolment-of-a-browser.json'));
  run('sallyport-agent enrol /opt/enrolment-of-a-browser.json');
}
