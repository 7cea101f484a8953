/** Why a device said no, in words, with what to do. */

const WORDS: [RegExp, string][] = [
  [/wrong_device|not_a_target|membership/, 'The grant does not name this device. Nothing was run.'],
  [/expired|lapsed/, 'The grant lapsed before it arrived, or the clock of the device is ahead. Nothing was run.'],
  [/not_yet|clock/, 'The clock of the device is behind. Set it, then run again. Nothing was run.'],
  [/replay|used|claimed/, 'The device has seen this grant before. It runs each grant once.'],
  [/signature|attestation|key/, 'The device does not accept who signed this. Compare its trust page with your authority kit. Nothing was run.'],
  [/log|checkpoint|inclusion/, 'The device found no proof that the grant is in the audit log. Nothing was run.'],
  [/hash|sha256|digest|content/, 'The text that arrived is not the one that was authorized. Nothing was run.'],
  [/interpreter/, 'The interpreter is not installed there. Nothing was run.'],
  [/run_as|account|user/, 'There is no such account on the device. Nothing was run.'],
  [/secret|seal/, 'A secret could not be opened by this device. Nothing was run.'],
  [/class|policy|profile/, 'The policy of the device does not allow this. Nothing was run.'],
];

export const refusalWords = (reason: string): string => WORDS.find(([pattern]) => pattern.test(reason))?.[1] ?? 'The device did not accept the grant. Nothing was run.';
