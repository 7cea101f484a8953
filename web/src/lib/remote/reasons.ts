/** Why a remote session is over, and what to do about it. */

import type { Reason } from '$lib/stream/attachment';

export const REASONS: Record<Reason, { title: string; detail: string }> = {
  ended: { title: 'The session has ended', detail: 'Somebody ended it, or its program finished.' },
  left: { title: 'You left this session', detail: 'It goes on for those who are still in it.' },
  revoked: { title: 'Your access was taken back', detail: 'Your sign-in, your role or the device changed. Sign in again, or ask an administrator.' },
  idle: { title: 'The session ended because nothing happened', detail: 'It was idle for as long as the policy allows.' },
  limit: { title: 'The session reached its time limit', detail: 'Open a new one to go on.' },
  consent_refused: { title: 'The person at the machine did not agree', detail: 'They refused, did not answer in time, or nobody is there. Talk to them first, then ask again.' },
  machine: { title: 'The machine ended it', detail: 'Its agent stopped, restarted or was told so by the person there.' },
  lost: { title: 'The connection did not come back in time', detail: 'The device keeps a session for 5 minutes without anybody in it.' },
  unreachable: { title: 'The device did not answer', detail: 'It may have gone offline a moment ago. Check its state, then try again.' },
  broken: { title: 'The encrypted stream broke', detail: 'This browser closed it, for it could no longer trust what came.' },
};

export const KIND_WORDS = { terminal: 'terminal', background: 'background management', files: 'files', viewer: 'screen' } as const;
