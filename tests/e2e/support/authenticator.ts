import { execFileSync } from 'node:child_process';
import { until } from './installation.js';

const STEP = 30;
const stepNow = (): number => Math.floor(Date.now() / 1000 / STEP);
/** The oldest step whose code the server still takes once it has been typed and sent, on a machine that is busy. */
const oldest = (): number => Math.floor((Date.now() / 1000 + STEP / 2) / STEP) - 1;

/** Codes from an authenticator that is not ours. Each works once, so the next one is waited for. */
export class Authenticator {
  private used = 0;
  /** Seconds that a person would have waited for the next code, and codes that they typed. */
  waited = 0;
  typed = 0;

  constructor(private readonly secret: string) {}

  /** What is shown now; a code that was used is waited out. */
  async fresh(): Promise<string> {
    return this.take(() => stepNow());
  }

  /** For tests that want many codes: the server takes clocks that are one step off, so three codes work without waiting. */
  async soon(): Promise<string> {
    return this.take(() => Math.min(Math.max(this.used + 1, oldest()), stepNow() + 1));
  }

  private async take(step: () => number): Promise<string> {
    const begun = Date.now();
    this.used = await until('the next code', () => (step() > this.used ? step() : undefined));
    this.waited += (Date.now() - begun) / 1000;
    this.typed += 1;
    // Two seconds into the step: its beginning belongs to both where a program rounds.
    return execFileSync('oathtool', ['--totp', '-b', '--now', `@${this.used * STEP + 2}`, this.secret], { encoding: 'utf8' }).trim();
  }
}
