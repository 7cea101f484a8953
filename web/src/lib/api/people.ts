/** Routes about people: users, roles, invitations, the policy of factors and of sessions. */

import { get, post, type Query, remove } from './client';
import { every, guarded } from './routes';
import type * as T from './types';

export const users = (query: Query, background = false) => get<T.UserPage>('users', { query, background });
export const everybody = () => every<T.User>('users');
export const user = (id: string) => get<T.UserDetails>(`users/${id}`);
export const invite = (body: T.InviteUser) => guarded('users', body);
export const disable = (users: string[]) => guarded('users/disable', { users });
export const enable = (users: string[]) => guarded('users/enable', { users });
export const requireMfa = (users: string[], required: 'yes' | 'no') => guarded('users/mfa', { users, required });
export const assign = (id: string, body: { assignments: T.NewAssignment[]; expires?: string }) => guarded(`users/${id}/assignments`, body);
export const resetFactor = (id: string, confirmed: T.Confirmed) => guarded(`users/${id}/reset-factor`, { confirmed });
export const endSessions = (id: string) => post<void>(`users/${id}/end-sessions`);
export const resendInvitation = (id: string) => post<T.CreatedInvitation>(`users/${id}/resend-invitation`);

export const pauseVerification = (user: string, hours: number) => post<T.PausedAddressVerification>('policy/networks/pause', { user, hours });

export const roles = () => get<T.Roles>('roles');
export const addRole = (body: T.SaveRole) => guarded('roles', body);
export const saveRole = (id: string, body: T.SaveRole) => guarded(`roles/${id}`, body, 'PUT');
export const deleteRole = (id: string) => guarded(`roles/${id}`, undefined, 'DELETE');

export const policy = () => get<T.Policy>('policy');
export const changeMfaPolicy = (body: T.MfaPolicy) => guarded('policy/mfa', body, 'PUT');
export const changeSessionLimits = (body: T.SessionLimits) => guarded('policy/sessions', body, 'PUT');

export const lookAtInvitation = (token: string) => post<T.Invitation>('invitations/look', { token });
/** Where the present password is known from a data breach, another one goes along. */
export const startActivation = (token: string, password: string, instead?: string) =>
  post<T.ActivationDraft>('invitations/start', { token, password, ...(instead !== undefined && { new_password: instead }) });
export const finishActivation = (body: { token: string; draft: string; code: string }) => post<T.RecoveryCodes>('invitations/finish', body);
export const mailActivation = () => post<T.ActivationMail>('me/activation/mail');
export const stopReset = () => remove<void>('me/held-reset');
export const mails = (query: Query) => get<T.Page<T.Mail>>('mails', { query });
export const notMe = () => post<T.NotMeDone>('me/not-me');
export const notMeFromMail = (token: string) => post<T.NotMeDone>('not-me', { token });
