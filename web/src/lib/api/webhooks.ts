/** Routes about webhooks and the log of their deliveries. */

import { get, post, type Query, remove } from './client';
import { guarded, whole } from './routes';
import type * as T from './types';

export const webhooks = () => whole<T.Webhooks>('webhooks');
export const webhook = (id: string) => get<T.Webhook>(`webhooks/${id}`);
export const create = (body: T.WantedWebhook) => guarded('webhooks', body);
export const change = (id: string, body: T.WantedWebhook) => guarded(`webhooks/${id}`, body, 'PUT');
export const rotate = (id: string) => guarded(`webhooks/${id}/secret`, {});
export const order = (id: string, verb: 'pause' | 'resume') => post<void>(`webhooks/${id}/${verb}`);
export const removeWebhook = (id: string) => remove(`webhooks/${id}`);
export const test = (id: string) => post<T.WebhookDelivery>(`webhooks/${id}/test`);
export const deliveries = (id: string, query: Query) => get<T.Page<T.WebhookDelivery>>(`webhooks/${id}/deliveries`, { query });
export const delivery = (id: string, event: string) => get<T.DeliveryDetails>(`webhooks/${id}/deliveries/${event}`);
export const redeliver = (id: string, event: string) => post<void>(`webhooks/${id}/deliveries/${event}/redeliver`);
