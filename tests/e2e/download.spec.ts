import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { PROGRAMS, until } from './support/installation.js';
import { code, moveIn, place } from './support/office.js';
import { deviceId, enrol } from './support/remote.js';
import { OWNER } from './support/steps.js';

/** The command line, at one real agent. */
moveIn();

test('a download on the command line that was killed goes on where it stopped', async () => {
  await enrol(place.agent('web'));
  const device = await deviceId((links) => links);
  const [session, source, target] = ['session.json', 'source.bin', 'target.bin'].map((name) => join(place.folder, name)) as [string, string, string];
  const program = join(PROGRAMS, 'sallyport');
  const login = ['login', place.url, '--email', OWNER.email, '--password-stdin', '--code-stdin', '--session', session];
  expect(spawnSync(program, login, { input: `${OWNER.password}\n${await code()}\n` }).status).toBe(0);
  writeFileSync(source, randomBytes(64 * 1024 * 1024));
  const download = ['download', device, source, '--to', target, '--yes', '--json', '--session', session];
  const child = spawn(program, download, { stdio: 'ignore' });
  const part = `${target}.part`;
  await until('its first part', () => (existsSync(part) && statSync(part).size > 0 ? true : undefined));
  child.kill('SIGKILL');
  await new Promise((gone) => child.once('exit', gone));
  const { size } = statSync(part);
  expect(size).toBeLessThan(statSync(source).size);
  expect(existsSync(target)).toBe(false);
  const again = spawnSync(program, download, { encoding: 'utf8' });
  expect(JSON.parse(again.stdout)).toMatchObject({ bytes: statSync(source).size, resumed_from: size });
  expect(readFileSync(target).equals(readFileSync(source))).toBe(true);
  expect(existsSync(part)).toBe(false);
});
