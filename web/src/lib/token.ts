/** What was pasted, as a set-up token: the whole link or its end. */
export const tokenIn = (pasted: string): string => /[?#&]token=([^&#\s]+)/.exec(pasted)?.[1] ?? pasted.trim();
