/** Routes about posture: how the configuration is judged, and what would happen if. */

import { get, post } from './client';
import type * as T from './types';

export const posture = () => get<T.Posture>('posture');
export const whatIf = (body: T.WhatIf) => post<T.WhatIfAnswer>('posture/what-if', body);
