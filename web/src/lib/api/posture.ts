/** Routes about posture: how the configuration is judged, and what would happen if. */

import { get, post, remove } from './client';
import type * as T from './types';

export const posture = () => get<T.Posture>('posture');
export const whatIf = (body: T.WhatIf) => post<T.WhatIfAnswer>('posture/what-if', body);
export const accept = (body: T.AcceptFinding) => post<void>('posture/accepted', body);
export const reopen = (finding: string) => remove<void>(`posture/accepted/${finding}`);
