import { fromBase64 } from '$lib/crypto/bytes';

export interface ShownKey {
  word: string;
  does: string;
  value: string;
}

/** The keys that the root names, in the order in which a device meets them; undefined where the envelope is not readable. */
export function rootKeys(envelope: string): ShownKey[] | undefined {
  try {
    const { payload } = JSON.parse(envelope) as { payload: string };
    const root = JSON.parse(new TextDecoder().decode(fromBase64(payload))) as { link: string; attestation: string; log: { key: string } };
    return [
      { word: 'Link', does: 'proves the server to the device', value: root.link },
      { word: 'Attestation', does: 'vouches that a person proved themselves', value: root.attestation },
      { word: 'Log', does: 'signs the checkpoints of the audit log', value: root.log.key },
    ];
  } catch {
    return undefined;
  }
}
