/** How roles, scopes and policies are written, everywhere the same. */

import type { Assignment, MfaPolicy, NetworkCapability, NewAssignment, Role, Scope, SessionLimits, User } from '$lib/api/types';
import { length } from './format';

const ROLES: Record<string, string> = { owner: 'Owner', admin: 'Admin', technician: 'Technician', auditor: 'Auditor', support: 'External support' };

export const roleWord = (role: string): string => ROLES[role] ?? role;

/** Built-in roles have words of ours; those of the tenant have the tenant's. */
export const roleName = (one: Pick<Assignment, 'role' | 'role_name'>): string => ROLES[one.role] ?? one.role_name;

export const titleOf = (role: Pick<Role, 'id' | 'name'>): string => ROLES[role.id] ?? role.name;

export const scopeWord = (scope: Scope): string => (scope.kind === 'tenant' ? 'Everywhere' : scope.name);

/** `Technician of Contoso`, `Admin everywhere`. */
export const assignmentWord = (one: Assignment): string =>
  one.scope.kind === 'tenant' ? `${roleName(one)} everywhere` : `${roleName(one)} of ${one.scope.name}`;

/** The roles without repeats, in the server's order: the most powerful first. */
export const rolesOf = (user: User): string => [...new Set(user.assignments.map(roleName))].join(', ');

export const scopesOf = (user: User): string => [...new Set(user.assignments.map((one) => scopeWord(one.scope)))].join(', ');

export const sameAssignments = (left: NewAssignment[], right: NewAssignment[]): boolean => {
  const written = (list: NewAssignment[]) => list.map((one) => `${one.role}@${one.scope}:${one.id ?? ''}`).sort().join();
  return written(left) === written(right);
};

export const asNew = (one: Assignment): NewAssignment => ({
  role: one.role,
  scope: one.scope.kind,
  ...(one.scope.kind !== 'tenant' && { id: one.scope.id }),
});

/** Who must have a factor, as a phrase. */
export function whoMust(policy: MfaPolicy, nameOf: (role: string) => string = roleWord): string {
  if (policy.who === 'all') return 'everybody';
  if (policy.who === 'admins') return 'owners and admins';
  return ['owners', 'admins', ...(policy.roles ?? []).map((role) => `the role ${nameOf(role)}`)].join(', ').replace(/, ([^,]*)$/, ' and $1');
}

export const adminsWord = (policy: MfaPolicy): string => (policy.admins_passkey === 'yes' ? 'a passkey alone' : 'any factor');
export const codesWord = (policy: MfaPolicy): string => (policy.device_codes === 'yes' ? 'may sign in by a device code' : 'come in by a browser beside them alone');
export const factorlessWord = (policy: MfaPolicy): string =>
  policy.factorless === 'yes' ? 'may sign in and read, with a password alone' : 'cannot sign in';

export const limitsWord = (limits: SessionLimits): string =>
  `end after ${length(limits.idle_secs)} without use, and ${length(limits.lifetime_secs)} after sign-in`;

export const CAPABILITY_WORDS: Record<NetworkCapability, { word: string; about: string }> = {
  sign_in: { word: 'Signing in', about: 'Signing in, and everything after it' },
  guarded: { word: 'Guarded actions', about: 'Asking for and proving whatever opens the authorization panel' },
  installers: { word: 'Installers', about: 'Making installers' },
  administration: { word: 'Administration', about: 'People, roles, other people’s factors, policies' },
  agent_link: { word: 'Agents', about: 'Connections of managed devices' },
};

/** Ranges as people type them: one on a line, or with commas. */
export const rangesIn = (typed: string): string[] => typed.split(/[\s,;]+/).filter(Boolean);
