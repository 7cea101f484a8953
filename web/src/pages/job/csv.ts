import type { Run } from '$lib/api/types';

/** A cell that a spreadsheet takes as text: quoted, and never as a formula, whatever a device calls itself. */
const cell = (value: string | number | null | undefined): string => {
  const text = String(value ?? '');
  return `"${(/^[=+\-@\t\r]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
};

const COLUMNS = ['device', 'device_name', 'state', 'exit_code', 'signal', 'reason', 'started', 'ended', 'output_bytes', 'output_sha256'] as const;

export const resultsCsv = (runs: Run[]): string =>
  [COLUMNS.map(cell).join(','), ...runs.map((run) => COLUMNS.map((column) => cell(run[column])).join(','))].join('\r\n') + '\r\n';
