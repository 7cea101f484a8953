/** What can be done to accounts, from the list, from a person's page and from the selection bar: one place for rules and reasons. */

import * as people from '$lib/api/people';
import type { Guarded } from '$lib/api/routes';
import { asProblem, type Problem } from '$lib/api/problem';
import type { ActionResult, CreatedInvitation, Policy, User } from '$lib/api/types';
import { counted } from '$lib/format';
import { gate } from '$lib/gate.svelte';
import { roleName } from '$lib/people';
import { session } from '$lib/session.svelte';
import { toasts } from '$lib/toasts.svelte';
import type { MenuEntry, MenuItem } from '$parts/menu';

/** A dialog that an act needs before anything is asked of the server. */
export type Asking = { kind: 'reset'; user: User } | { kind: 'roles'; user: User };

export class PeopleActs {
  problem = $state.raw<Problem>();
  asking = $state.raw<Asking>();
  /** A link to hand over, shown once. */
  link = $state.raw<CreatedInvitation>();
  readonly #changed: () => unknown;
  readonly #policy: () => Policy | undefined;

  constructor(policy: () => Policy | undefined, changed: () => unknown) {
    this.#policy = policy;
    this.#changed = changed;
  }

  async guarded(asked: Guarded, word: (result: ActionResult) => string): Promise<boolean> {
    this.problem = undefined;
    try {
      const result = await gate.through(asked);
      if (!result) return false;
      if (result.kind === 'invitation' && result.link) this.link = result;
      else toasts.say(word(result));
      // What is shown is loaded again behind the dialog, which closes meanwhile.
      void this.#changed();
      return true;
    } catch (error) {
      this.problem = asProblem(error);
      return false;
    }
  }

  async #plain(act: () => Promise<unknown>, word: string): Promise<void> {
    this.problem = undefined;
    try {
      await act();
      if (word) toasts.say(word);
      await this.#changed();
    } catch (error) {
      this.problem = asProblem(error);
    }
  }

  require = (users: User[], required: 'yes' | 'no') =>
    this.guarded(people.requireMfa(ids(users), required), () => `MFA ${required === 'yes' ? 'required of' : 'no longer required of'} ${who(users)}`);
  disable = (users: User[]) => this.guarded(people.disable(ids(users)), () => `${who(users)} disabled`);
  enable = (users: User[]) => this.guarded(people.enable(ids(users)), () => `${who(users)} enabled`);
  reset = (user: User, confirmed: 'in_person' | 'by_call') =>
    this.guarded(people.resetFactor(user.id, confirmed), (result) => (result.kind === 'reset_held' ? `The factors of ${user.name} go in 24 hours` : `The factors of ${user.name} are gone`));

  endSessions = (users: User[]) =>
    this.#plain(() => Promise.all(users.filter((user) => user.sessions > 0).map((user) => people.endSessions(user.id))), `Sessions of ${who(users)} ended`);

  resend = (user: User) =>
    this.#plain(async () => {
      const made = await people.resendInvitation(user.id);
      if (made.link) this.link = made;
      else toasts.say(`The link is on its way to ${made.email}`);
    }, '');

  /** Why nothing can be required of single users, or taken off them. */
  #whyNotRequire(user: User): string | undefined {
    if (user.mfa_required_by === 'tenant') return 'Required of everybody by the tenant’s policy';
    if (user.mfa_required_by === 'role') return `Required for the role ${user.assignments[0] ? roleName(user.assignments[0]) : ''} by the tenant’s policy`;
    return this.#policy()?.mfa.who === 'all' ? 'The tenant’s policy is for everybody' : undefined;
  }

  /** Why the person who looks may do nothing to this account at all. */
  #whyNot(user: User): string | undefined {
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
      { word: 'Reset factor', icon: 'rotate', guard: true, why: own ?? (factors === 0 ? 'No factor is set up yet' : user.held_reset ? 'A reset waits already' : undefined), act: () => (this.asking = { kind: 'reset', user }) },
      { word: user.state === 'invited' ? 'Send the invitation again' : 'Send an activation link', icon: 'link', why: factors > 0 ? 'A factor is set up' : user.state === 'disabled' ? 'The account is disabled' : undefined, act: () => void this.resend(user) },
      'line',
      { word: 'Change role', icon: 'people', guard: true, why: own, act: () => (this.asking = { kind: 'roles', user }) },
      { word: `End ${counted(user.sessions, 'session')}`, icon: 'bad', why: user.sessions === 0 ? 'Not signed in anywhere' : undefined, act: () => void this.endSessions([user]) },
      user.state === 'disabled'
        ? { word: 'Enable account', icon: 'done', guard: true, act: () => void this.enable([user]) }
        : { word: 'Disable account', icon: 'ban', bad: true, guard: true, why: own, act: () => void this.disable([user]) },
    ];
    return all.map((entry) => (entry === 'line' ? entry : reasoned(entry, barred)));
  }
}

/** What cannot be done opens no panel: its mark goes. */
const reasoned = (entry: MenuItem, barred: string | undefined): MenuItem => {
  const why = barred ?? entry.why;
  return why ? { ...entry, why, guard: false } : entry;
};

const ids = (users: User[]): string[] => users.map((user) => user.id);
const who = (users: User[]): string => (users.length === 1 ? (users[0]?.name ?? '') : counted(users.length, 'user'));
