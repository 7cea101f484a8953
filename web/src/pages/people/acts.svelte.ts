/** What can be done to accounts, from the list, from a person's page and from the selection bar: one place for rules and reasons. */

import * as people from '$lib/api/people';
import type { Guarded } from '$lib/api/routes';
import type { ActionResult, CreatedInvitation, Policy, User } from '$lib/api/types';
import { Attempt } from '$lib/attempt.svelte';
import { count, counted } from '$lib/format';
import { gate } from '$lib/gate.svelte';
import { roleName } from '$lib/people';
import { session } from '$lib/session.svelte';
import { toasts } from '$lib/toasts.svelte';
import type { MenuEntry, MenuItem } from '$parts/menu';

/** A dialog that an act needs before anything is asked of the server. */
export type Asking = { kind: 'reset'; user: User } | { kind: 'roles'; user: User };

export class PeopleActs extends Attempt {
  asking = $state.raw<Asking>();
  /** A link to hand over, shown once. */
  link = $state.raw<CreatedInvitation>();
  readonly #changed: () => unknown;
  readonly #policy: () => Policy | undefined;

  constructor(policy: () => Policy | undefined, changed: () => unknown) {
    super();
    this.#policy = policy;
    this.#changed = changed;
  }

  /** Opens the dialog of an act, or closes it: either way without the fault of another one. */
  show(asking: Asking | undefined): void {
    this.clear();
    this.asking = asking;
  }

  /** True where it was done. The request is begun in here: while another act runs, it is not even sent. */
  async guarded(begin: () => Guarded, word: (result: ActionResult) => string): Promise<boolean> {
    let done = false;
    await this.run(async () => {
      const result = await gate.through(begin());
      if (!result) return;
      if (result.kind === 'invitation' && result.link) this.link = result;
      else toasts.say(word(result));
      done = true;
    });
    // What is shown is loaded again behind the dialog, which closes meanwhile.
    if (done) void this.#changed();
    return done;
  }

  async #plain(act: () => Promise<unknown>, word: string): Promise<void> {
    if (!(await this.run(act))) return;
    if (word) toasts.say(word);
    await this.#changed();
  }

  require = (users: User[], required: 'yes' | 'no') =>
    this.guarded(() => people.requireMfa(ids(users), required), () => `MFA ${required === 'yes' ? 'required of' : 'no longer required of'} ${who(users)}`);
  disable = (users: User[]) => this.guarded(() => people.disable(ids(users)), () => `${who(users)} disabled`);
  enable = (users: User[]) => this.guarded(() => people.enable(ids(users)), () => `${who(users)} enabled`);
  reset = (user: User, confirmed: 'in_person' | 'by_call') =>
    this.guarded(() => people.resetFactor(user.id, confirmed), (result) => (result.kind === 'reset_held' ? `The factors of ${user.name} go in 24 hours` : `The factors of ${user.name} are gone`));

  endSessions = (users: User[]) =>
    this.#plain(() => Promise.all(users.filter((user) => user.sessions > 0).map((user) => people.endSessions(user.id))), `Sessions of ${who(users)} ended`);

  resend = (user: User) =>
    this.#plain(async () => {
      const made = await people.resendInvitation(user.id);
      if (made.link) this.link = made;
      else toasts.say(`The link is on its way to ${made.email}`);
    }, '');

  /** Only where they go by mail: a link to hand over is shown once, and alone. */
  resendAll = (users: User[]) => this.#plain(() => Promise.all(users.map((user) => people.resendInvitation(user.id))), `Links are on their way to ${who(users)}`);

  /** Why nothing can be required of single users, or taken off them. */
  #whyNotRequire(user: User): string | undefined {
    if (user.mfa_required_by === 'tenant') return 'Required of everybody by the tenant’s policy';
    if (user.mfa_required_by === 'role') return `Required for the role ${user.assignments[0] ? roleName(user.assignments[0]) : ''} by the tenant’s policy`;
    return this.#policy()?.mfa.who === 'all' ? 'The tenant’s policy is for everybody' : undefined;
  }

  /** Why the person who looks may do nothing to this account at all, or not now. */
  #whyNot(user: User): string | undefined {
    if (this.busy) return 'Something else is under way';
    if (!session.may('people.write')) return 'Your roles only read here';
    if (user.assignments.some((one) => one.role === 'owner') && !session.may('people.owners')) return 'Only owners act on owners';
    return undefined;
  }

  entries(user: User): MenuEntry[] {
    const barred = this.#whyNot(user);
    const required = user.mfa_required_by !== null && user.mfa_required_by !== undefined;
    const own = user.you ? 'Your own account: see your profile' : undefined;
    const factors = user.factors.totp + user.factors.passkeys;
    const all: (MenuItem | 'line')[] = [
      required
        ? { word: 'Stop requiring MFA', icon: 'shield', guard: user.mfa_required_by === 'user', why: this.#whyNotRequire(user), act: () => void this.require([user], 'no') }
        : { word: 'Require MFA', icon: 'shield', guard: this.#whyNotRequire(user) === undefined, why: this.#whyNotRequire(user), act: () => void this.require([user], 'yes') },
      { word: 'Reset factor', icon: 'rotate', guard: true, why: own ?? (factors === 0 ? 'No factor is set up yet' : user.held_reset ? 'A reset waits already' : undefined), act: () => this.show({ kind: 'reset', user }) },
      { word: user.state === 'invited' ? 'Send the invitation again' : 'Send an activation link', icon: 'link', why: factors > 0 ? 'A factor is set up' : user.state === 'disabled' ? 'The account is disabled' : undefined, act: () => void this.resend(user) },
      'line',
      { word: 'Change role', icon: 'people', guard: true, why: own, act: () => this.show({ kind: 'roles', user }) },
      { word: `End ${counted(user.sessions, 'session')}`, icon: 'bad', why: user.sessions === 0 ? 'Not signed in anywhere' : undefined, act: () => void this.endSessions([user]) },
      user.state === 'disabled'
        ? { word: 'Enable account', icon: 'done', guard: true, act: () => void this.enable([user]) }
        : { word: 'Disable account', icon: 'ban', bad: true, guard: true, why: own, act: () => void this.disable([user]) },
    ];
    return all.map((entry) => (entry === 'line' ? entry : reasoned(entry, barred)));
  }

  /** The same for everybody who is chosen, each act with how many it concerns. `done` takes the choice back. */
  entriesOfAll(users: User[], done: () => void): MenuEntry[] {
    const barred = users.map((user) => this.#whyNot(user)).find((why) => why !== undefined);
    const { free, single, without, signedIn, enabled, disabled } = concerned(users);
    const mails = this.#policy()?.mail.configured === 'yes';
    const everybody = this.#policy()?.mfa.who === 'all' ? 'The tenant’s policy is for everybody' : undefined;
    const of = (part: User[]) => (part.length === users.length || part.length === 0 ? '' : ` of ${count(part.length)}`);
    const asked = (act: Promise<boolean>) => void act.then((was) => was && done());
    const all: (MenuItem | 'line')[] = [
      { word: `Require MFA${of(free)}`, icon: 'shield', guard: true, why: everybody ?? (free.length === 0 ? 'It is required of all of them' : undefined), act: () => asked(this.require(free, 'yes')) },
      { word: `Stop requiring MFA${of(single)}`, icon: 'shield', guard: true, why: everybody ?? (single.length === 0 ? 'It is required of none of them by name' : undefined), act: () => asked(this.require(single, 'no')) },
      { word: 'Reset factor', icon: 'rotate', why: 'One person at a time: each is called or met first', act: () => undefined },
      { word: `Send ${counted(without.length, 'link')} again`, icon: 'link', why: without.length === 0 ? 'All of them have a factor, or are disabled' : mails ? undefined : 'One person at a time, where links are handed over', act: () => void this.resendAll(without) },
      'line',
      { word: 'Change role', icon: 'people', why: 'One person at a time', act: () => undefined },
      { word: signedIn.length === 0 ? 'End sessions' : `End ${counted(sessionsOf(signedIn), 'session')}`, icon: 'bad', why: signedIn.length === 0 ? 'None of the others is signed in' : undefined, act: () => void this.endSessions(signedIn) },
      ...(disabled.length > 0 ? [{ word: `Enable account${of(disabled)}`, icon: 'done', guard: true, act: () => asked(this.enable(disabled)) } as const] : []),
      ...(enabled.length > 0 ? [{ word: `Disable account${of(enabled)}`, icon: 'ban', bad: true, guard: true, act: () => asked(this.disable(enabled)) } as const] : []),
    ];
    return all.map((entry) => (entry === 'line' ? entry : reasoned(entry, barred)));
  }
}

/** Whom of several people each act concerns. Nobody disables themselves, or ends the sessions they look from. */
export function concerned(users: User[]) {
  const others = users.filter((user) => !user.you);
  return {
    free: users.filter((user) => !user.mfa_required_by),
    single: users.filter((user) => user.mfa_required_by === 'user'),
    without: users.filter((user) => user.factors.totp + user.factors.passkeys === 0 && user.state !== 'disabled'),
    signedIn: others.filter((user) => user.sessions > 0),
    enabled: others.filter((user) => user.state !== 'disabled'),
    disabled: others.filter((user) => user.state === 'disabled'),
  };
}

export const sessionsOf = (users: User[]): number => users.reduce((sum, user) => sum + user.sessions, 0);

/** What cannot be done opens no panel: its mark goes. */
const reasoned = (entry: MenuItem, barred: string | undefined): MenuItem => {
  const why = barred ?? entry.why;
  return why ? { ...entry, why, guard: false } : entry;
};

const ids = (users: User[]): string[] => users.map((user) => user.id);
const who = (users: User[]): string => (users.length === 1 ? (users[0]?.name ?? '') : counted(users.length, 'user'));
