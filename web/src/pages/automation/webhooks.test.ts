import { describe, expect, it } from 'vitest';
import type { Webhook } from '$lib/api/types';
import { answerOf, lookOf, whyPaused } from './webhooks';

const hook = (more: Partial<Webhook>): Webhook => ({
  id: 'whk_1',
  state: 'active',
  name: 'Tickets',
  url: 'https://psa.example/hook',
  events: ['job.finished'],
  owner: 'usr_1',
  owner_name: 'Amelie',
  created: '2026-11-22T12:00:00Z',
  waiting: 0,
  ...more,
});

describe('webhooks', () => {
  it('says whether a person paused it or nothing reached it', () => {
    expect(lookOf(hook({})).tone).toBe('ok');
    expect(lookOf(hook({ state: 'paused', paused_why: 'by_person' })).word).toBe('Paused');
    expect(lookOf(hook({ state: 'paused', paused_why: 'failing' })).tone).toBe('bad');
    expect(whyPaused(hook({ state: 'paused', paused_why: 'gone' }))).toContain('gone');
    expect(whyPaused(hook({}))).toBe('');
  });

  it('says what the endpoint answered, in words', () => {
    expect(answerOf({ last_status: 503 })).toBe('503');
    expect(answerOf({ last_error: 'private_network' })).toBe('not a public address');
    expect(answerOf({ last_error: 'something_new' })).toBe('something_new');
    expect(answerOf({})).toBe('');
  });
});
