import { describe, expect, it } from 'vitest';
import type { Connection } from '$lib/api/types';
import { headersIn, outcomeIsGood, outcomeWord, placementWord, rulesIn, wantsSecret } from './connections';

describe('rules are read from lines', () => {
  it('takes methods and a path', () => {
    expect(rulesIn('get,POST /tickets/**\n\n DELETE  /a b ')).toEqual([
      { methods: ['GET', 'POST'], path: '/tickets/**' },
      { methods: ['DELETE'], path: '/a b' },
    ]);
  });
  it.each(['', 'GET', '/tickets', 'FETCH /tickets', 'GET,FETCH /tickets', 'GET tickets'])('refuses %j', (text) => {
    expect(rulesIn(text)).toBeUndefined();
  });
});

describe('headers are read from lines', () => {
  it('takes names and values', () => expect(headersIn('clientId: a:b\nX-Version: 2')).toEqual({ clientId: 'a:b', 'X-Version': '2' }));
  it('takes none', () => expect(headersIn('\n')).toEqual({}));
  it('refuses what is none', () => expect(headersIn('clientId')).toBeUndefined());
});

describe('a credential is entrusted for one place', () => {
  const before = { base_url: 'https://psa.example/api', credential: { in: 'bearer' }, secret_since: '2026-01-01T00:00:00Z' } as Connection;
  it('stays where nothing moves', () => expect(wantsSecret(before, { base_url: 'https://psa.example/api/', credential: { in: 'bearer' } })).toBe(false));
  it('is wanted anew for another address', () => expect(wantsSecret(before, { base_url: 'https://evil.example', credential: { in: 'bearer' } })).toBe(true));
  it('is wanted anew for another header', () => expect(wantsSecret(before, { base_url: before.base_url, credential: { in: 'basic', user: 'x' } })).toBe(true));
  it('is wanted anew for another hook, and not for another rhythm', () => {
    const hook = { every_days: 30, method: 'POST', path: '/keys', body: '{"key":"{new}"}', new: { from: 'made' } } as const;
    const hooked = { ...before, rotation: hook } as Connection;
    expect(wantsSecret(before, { ...before, rotation: hook })).toBe(true);
    expect(wantsSecret(hooked, { ...before, rotation: { ...hook, every_days: 7 } })).toBe(false);
    expect(wantsSecret(hooked, { ...before, rotation: { ...hook, body: '{"note":"{old}","key":"{new}"}' } })).toBe(true);
    expect(wantsSecret(hooked, { ...before, rotation: null })).toBe(false);
  });
  it('is wanted where there is none', () => {
    expect(wantsSecret(undefined, before)).toBe(true);
    expect(wantsSecret({ ...before, secret_since: null }, before)).toBe(true);
  });
});

describe('words', () => {
  it('says where a credential goes in', () => {
    expect(placementWord({ in: 'header', name: 'X-Api-Key', prefix: 'Token ' })).toBe('X-Api-Key: Token …');
    expect(placementWord({ in: 'basic', user: 'public' })).toBe('Authorization: Basic, as public');
  });
  it('says how a call ended', () => {
    expect([outcomeWord('200'), outcomeWord('tls'), outcomeWord(null)]).toEqual(['200', 'certificate not trusted', 'under way']);
    expect([outcomeIsGood('204'), outcomeIsGood('404'), outcomeIsGood('tls')]).toEqual([true, false, false]);
  });
});
