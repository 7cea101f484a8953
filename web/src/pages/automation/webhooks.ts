/** How webhooks and deliveries look. */

import type { WebhookDelivery, DeliveryState, Webhook } from '$lib/api/types';
import type { Look } from '$parts/looks';

const PAUSED: Record<string, string> = {
  by_person: 'Somebody paused it. What happens waits.',
  failing: 'Nothing reached it for about a day. What happens waits.',
  gone: 'Its receiver answered that it is gone. What happens waits.',
};

export function lookOf(one: Webhook): Look {
  if (one.state === 'owner_over') return { icon: 'notme', word: 'Owner left', tone: 'off' };
  if (one.state === 'paused') return one.paused_why === 'by_person' ? { icon: 'pause', word: 'Paused', tone: 'wait' } : { icon: 'bad', word: 'Nothing arrives', tone: 'bad' };
  return { icon: 'online', word: 'Active', tone: 'ok' };
}

export const whyPaused = (one: Webhook): string => (one.state === 'paused' ? (PAUSED[one.paused_why ?? ''] ?? '') : '');

export const DELIVERIES: Record<DeliveryState, Look> = {
  waiting: { icon: 'clock', word: 'Waiting', tone: 'wait' },
  delivered: { icon: 'done', word: 'Delivered', tone: 'ok' },
  failed: { icon: 'bad', word: 'Given up', tone: 'bad' },
  withheld: { icon: 'ban', word: 'Withheld', tone: 'off' },
};

const ERRORS: Record<string, string> = {
  plain_http: 'no TLS',
  private_network: 'not a public address',
  name_unknown: 'name unknown',
  nobody_answers: 'nobody answers',
  tls: 'certificate refused',
  late: 'too slow',
  answer_too_large: 'answer too large',
  broken: 'connection broke',
  busy: 'no place free',
  request_refused: 'could not be sent',
};

/** What the endpoint answered last: a status, or why there was none. */
export function answerOf(one: Pick<WebhookDelivery, 'last_status' | 'last_error'>): string {
  if (one.last_status) return String(one.last_status);
  return one.last_error ? (ERRORS[one.last_error] ?? one.last_error) : '';
}
