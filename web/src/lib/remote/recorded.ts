/** A recording as it was stored, held against the digest that the device signed. */

import { asProblem, Problem } from '$lib/api/problem';
import { recording } from '$lib/api/remote';
import { type Bytes, hex, sha256 } from '$lib/crypto/bytes';

export interface Recorded {
  bytes: Bytes;
  /** Undefined where no digest is known. */
  fits: boolean | undefined;
}

export async function recorded(id: string, digest: string | null): Promise<Recorded> {
  const bytes = new Uint8Array(await (await recording(id)).arrayBuffer());
  return { bytes, fits: digest === null ? undefined : hex(await sha256(bytes)) === digest };
}

/** Why it cannot be played. */
export const unplayable = (error: unknown): Problem =>
  error instanceof SyntaxError || error instanceof TypeError
    ? new Problem(0, { title: 'This recording cannot be played', detail: 'It is not in the expected form. Download it to look inside.', code: 'recording.form' })
    : asProblem(error);
