import type { HostKeyKind, LicenceHost, LicenceState } from '$lib/api/types';
import type { Look } from '$parts/looks';

export const LOOKS: Record<LicenceState, Look> = {
  valid: { icon: 'shieldok', word: 'Valid', tone: 'ok' },
  expiring_soon: { icon: 'warn', word: 'Expires soon', tone: 'warn' },
  expired: { icon: 'hourglass', word: 'Expired', tone: 'off' },
  revoked: { icon: 'ban', word: 'Revoked', tone: 'off' },
};

/** Digests as people paste them: 64 hexadecimal digits each, as `sha256sum` prints them or without the file's name. */
export function digestsIn(typed: string): string[] {
  const found = typed.split('\n').map((line) => /^\s*([0-9a-fA-F]{64})(\s|$)/.exec(line)?.[1]?.toLowerCase());
  return [...new Set(found.filter((digest) => digest !== undefined))];
}

/** Hosts as people paste them: a name, then what `sallyport tool host-key` printed there. Nothing where a line is neither empty nor a host. */
export function hostsIn(typed: string): LicenceHost[] | undefined {
  const lines = typed.split('\n').map((line) => line.trim()).filter(Boolean);
  const hosts = lines.map((line) => /^(.{1,100}?)[\s=]+(tpm|file):([0-9a-f]{66})$/.exec(line));
  if (hosts.length === 0 || hosts.some((host) => host === null)) return undefined;
  return hosts.map((host) => ({ name: host?.[1] ?? '', kind: host?.[2] as HostKeyKind, key: host?.[3] ?? '' }));
}

/** `0` to `9` and dots, as the server takes it. */
export const isVersion = (typed: string): boolean => /^(0|[1-9]\d{0,8})(\.(0|[1-9]\d{0,8})){0,3}$/.test(typed.trim());
