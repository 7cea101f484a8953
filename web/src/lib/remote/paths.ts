/** Paths on a device, as `pure/wire/src/stream/path.rs` writes them: as they are, or escaped after `raw:` where they are no UTF-8. */

import { utf8 } from '$lib/crypto/bytes';

const RAW = 'raw:';

export const isRaw = (path: string): boolean => path.startsWith(RAW);

/** Every byte but the plain ones as `%` and two digits. */
export const escaped = (path: string): string =>
  Array.from(utf8(path), (byte) => {
    const char = String.fromCharCode(byte);
    return /[A-Za-z0-9\-._~/]/.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }).join('');

/** The path of an entry of a folder; `raw` is its exact name where `name` is not. */
export function inside(folder: string, name: string, raw?: string): string {
  const base = folder.replace(/\/+$/, '');
  if (!isRaw(folder) && raw === undefined) return `${base}/${name}`;
  const prefix = isRaw(folder) ? base : RAW + escaped(base);
  return `${prefix}/${raw ?? escaped(name)}`;
}

export function parentOf(path: string): string {
  const [prefix, rest] = isRaw(path) ? [RAW, path.slice(RAW.length)] : ['', path];
  const up = rest.replace(/\/+$/, '').replace(/\/[^/]*$/, '');
  return prefix + (up || '/');
}

/** A path as people read it. */
export function readable(path: string): string {
  if (!isRaw(path)) return path;
  const bytes = Uint8Array.from(path.slice(RAW.length).match(/%[0-9A-Fa-f]{2}|[\s\S]/g) ?? [], (part) => (part.length === 3 ? Number.parseInt(part.slice(1), 16) : part.charCodeAt(0)));
  return new TextDecoder().decode(bytes);
}

export interface Crumb {
  name: string;
  path: string;
}

/** The folders on the way to a path, the root first. */
export function crumbsOf(path: string): Crumb[] {
  const crumbs: Crumb[] = [];
  for (let at = path; ; at = parentOf(at)) {
    const name = readable(at).split('/').at(-1) || '/';
    crumbs.unshift({ name, path: at });
    if (readable(at) === '/') return crumbs;
  }
}

/** `rwxr-xr-x`, with the special bits where they show. */
export function modeWord(mode: number): string {
  const bits = ['r', 'w', 'x', 'r', 'w', 'x', 'r', 'w', 'x'].map((char, at) => (mode & (0o400 >> at) ? char : '-'));
  const special: [number, number, string][] = [[0o4000, 2, 's'], [0o2000, 5, 's'], [0o1000, 8, 't']];
  for (const [bit, at, char] of special) if (mode & bit) bits[at] = bits[at] === 'x' ? char : char.toUpperCase();
  return bits.join('');
}

/** Why a name cannot be given. */
export function nameFault(name: string): string | undefined {
  if (!name) return 'Give it a name';
  if (name === '.' || name === '..') return 'This name is taken by the system';
  if (name.includes('/')) return 'A name has no slash in it';
  if (name.includes('\0')) return 'A name has no zero byte in it';
  return utf8(name).length > 255 ? 'A name has at most 255 bytes' : undefined;
}
