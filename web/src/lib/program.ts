/** What a program on this computer asks for when it wants to sign in. The server reads the same words again and decides. */

import { Problem } from './api/problem';
import type { ProgramAnswer } from './api/types';

export type ProgramAsks = Omit<ProgramAnswer, 'answer'>;

/** The answer goes to this computer and nowhere else. */
const LOOPBACK = /^http:\/\/(?:127\.0\.0\.1|\[::1\]):[1-9][0-9]{0,4}\/callback$/;

/** The words behind the page's address; undefined where they are not those of a sign-in. */
export function programIn(search: string): ProgramAsks | undefined {
  const query = new URLSearchParams(search);
  const one = (name: string): string => {
    const [value, second] = query.getAll(name);
    return second === undefined ? (value ?? '') : '';
  };
  const asks: ProgramAsks = {
    client_id: one('client_id'),
    response_type: one('response_type'),
    redirect_uri: one('redirect_uri'),
    code_challenge: one('code_challenge'),
    code_challenge_method: one('code_challenge_method'),
    dpop_jkt: one('dpop_jkt'),
    state: one('state'),
    name: one('name'),
  };
  const acr = one('acr_values');
  const age = one('max_age');
  if (acr) asks.acr_values = acr;
  if (/^\d{1,6}$/.test(age)) asks.max_age = Number(age);
  return LOOPBACK.test(asks.redirect_uri) ? asks : undefined;
}

/** Where an answer may take the browser: exactly to the program that asked. */
export const isAnswerTo = (asks: ProgramAsks, redirect: string): boolean => redirect.startsWith(`${asks.redirect_uri}?`);

/** For an answer that the server took and that leads elsewhere: it is not followed, and what it would open lapses unused. */
export const strayed = (): Problem =>
  new Problem(0, {
    title: 'Nothing was let in from here',
    detail: 'The answer did not lead back to the program that asked, so this page did not follow it. Begin again at the program: run sallyport login once more.',
    code: 'console.strayed',
  });
