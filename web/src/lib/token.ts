/** What was pasted, as a set-up token: the whole link, or what stands behind its '#'. */
export const tokenIn = (pasted: string): string => (pasted.includes('#') ? pasted.slice(pasted.indexOf('#') + 1) : pasted).trim();
