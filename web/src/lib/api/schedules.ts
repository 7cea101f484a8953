/** Routes about schedules. */

import { get, post, type Query } from './client';
import { guarded } from './routes';
import type * as T from './types';

export const schedules = (query: Query) => get<T.Page<T.Schedule>>('schedules', { query });
export const schedule = (id: string) => get<T.Schedule>(`schedules/${id}`);
export const publish = (body: T.NewSchedule) => guarded('schedules', body);
export const preview = (timing: T.ScheduleTiming) => post<T.ScheduleAnswer>('schedules/preview', { timing });
export const order = (id: string, verb: 'pause' | 'resume' | 'stop') => post<void>(`schedules/${id}/${verb}`);
