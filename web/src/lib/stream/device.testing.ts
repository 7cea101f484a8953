/** The device's end, for tests: the same bytes from the other side, written apart from the product's classes. */

import { preAuthEncoding } from '$lib/crypto/authority';
import { type Bytes, base64, concat, fromHex, hex, sha256, utf8 } from '$lib/crypto/bytes';
import { leafHash } from '$lib/crypto/merkle';
import type { NamedDevice } from './answer';
import { ANSWER_TYPE, GRANT_TYPE, idBytes } from './envelope';
import { be64, readBe64 } from './frames';

const AES = { name: 'AES-GCM', length: 256 };
const TENANT = 'ten_01jd0000000000000000000000';
export const SESSION = 'rms_01jd0000000000000000000001';
export const GRANT = 'grt_01jd0000000000000000000002';

export interface Signer {
  named: NamedDevice;
  key: CryptoKey;
}

export async function signer(): Promise<Signer> {
  const pair = (await crypto.subtle.generateKey({ name: 'Ed25519' }, true, ['sign', 'verify'])) as CryptoKeyPair;
  const raw = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey));
  return { named: { device_key: hex(raw), thumbprint: hex(await sha256(raw)) }, key: pair.privateKey };
}

export async function grantFor(device: Signer, clientHex: string, changes: Record<string, unknown> = {}): Promise<string> {
  const leaf = await leafHash(concat(utf8('sallyport.target/1\n'), idBytes(TENANT), fromHex(device.named.thumbprint)));
  const action = {
    session: SESSION, kind: 'terminal', access: 'control', joins: 'opens', client_key: clientHex, run_as: null, columns: 80, rows: 24,
    consent: 'none', record: 'session', ask_secs: 0, unanswered: 'refuse', clipboard: 'off', virtual_display: 'never',
    idle_secs: 900, max_secs: 28800, ...changes,
  };
  const body = { type: 'sallyport.grant/1', id: GRANT, tenant: TENANT, class: 1, action: { open_remote_session: action }, targets: { count: 1, root: hex(leaf) } };
  return JSON.stringify({ payloadType: GRANT_TYPE, payload: base64(utf8(JSON.stringify(body))), signatures: [{ keyid: 'server', sig: base64(new Uint8Array(64)) }] });
}

export interface DeviceEnd {
  answer: Bytes;
  epoch: bigint;
  sent: bigint;
  heard: Bytes[];
  frame(plain: Bytes): Promise<Bytes>;
  open(message: Bytes): Promise<Bytes>;
  resume(next: bigint): Promise<Bytes>;
  resumed(message: Bytes): Promise<bigint>;
}

export async function deviceEnd(device: Signer, grantText: string, clientHex: string, changes: Record<string, unknown> = {}): Promise<DeviceEnd> {
  const pair = (await crypto.subtle.generateKey({ name: 'X25519' }, true, ['deriveBits'])) as CryptoKeyPair;
  const own = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey));
  const other = await crypto.subtle.importKey('raw', fromHex(clientHex), { name: 'X25519' }, false, []);
  const shared = await crypto.subtle.deriveBits({ name: 'X25519', public: other }, pair.privateKey, 256);
  const root = await crypto.subtle.importKey('raw', shared, 'HKDF', false, ['deriveKey']);
  const payload = Uint8Array.from(atob((JSON.parse(grantText) as { payload: string }).payload), (char) => char.charCodeAt(0));
  const salt = await sha256(preAuthEncoding(GRANT_TYPE, payload));
  const key = (label: string) =>
    crypto.subtle.deriveKey({ name: 'HKDF', hash: 'SHA-256', salt, info: concat(utf8(`sallyport.stream/1 ${label}`), fromHex(clientHex), own) }, root, AES, false, ['encrypt', 'decrypt']);
  const keys = { client: await key('client'), device: await key('device'), rc: await key('resume client'), rd: await key('resume device') };
  const body = utf8(JSON.stringify({ type: 'sallyport.answer/1', grant: GRANT, session: SESSION, device: device.named.thumbprint, device_key: hex(own), client_key: clientHex, ...changes }));
  const sig = new Uint8Array(await crypto.subtle.sign('Ed25519', device.key, preAuthEncoding(ANSWER_TYPE, body)));
  const answer = utf8(JSON.stringify({ payloadType: ANSWER_TYPE, payload: base64(body), signatures: [{ keyid: device.named.thumbprint, sig: base64(sig) }] }));
  const end: DeviceEnd = {
    answer, epoch: 0n, sent: 0n, heard: [],
    async frame(plain) {
      const number = be64(end.sent++);
      const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv: concat(new Uint8Array(4), number), additionalData: number }, keys.device, plain);
      return concat(number, new Uint8Array(sealed));
    },
    async open(message) {
      const number = message.slice(0, 8);
      const opened = await crypto.subtle.decrypt({ name: 'AES-GCM', iv: concat(new Uint8Array(4), number), additionalData: number }, keys.client, message.slice(8));
      return new Uint8Array(opened);
    },
    async resume(next) {
      const number = be64(end.epoch++);
      const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv: concat(utf8('rsm\0'), number) }, keys.rd, be64(next));
      return concat(new Uint8Array(8).fill(255), number, new Uint8Array(sealed));
    },
    async resumed(message) {
      const opened = await crypto.subtle.decrypt({ name: 'AES-GCM', iv: concat(utf8('rsm\0'), message.slice(8, 16)) }, keys.rc, message.slice(16));
      return readBe64(new Uint8Array(opened));
    },
  };
  return end;
}
