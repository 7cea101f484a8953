import type { Run } from '$lib/api/types';

/** A cell that a spreadsheet takes as text: quoted, and never as a formula, whatever a device calls itself. */
const cell = (value: string | number | null | undefined): string => {
  const text = String(value ?? '');
  return `"${(/^[=+\-@\t\r]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
};

const COLUMNS = ['device', 'device_name', 'state', 'exit_code', 'signal', 'reason', 'started', 'ended', 'output_bytes', 'output_sha256'] as const;

type Row = (string | number | null | undefined)[];

export const csvOf = (rows: Row[]): string => rows.map((row) => `${row.map(cell).join(',')}\r\n`).join('');

export const resultsCsv = (runs: Run[]): string => csvOf([[...COLUMNS], ...runs.map((run) => COLUMNS.map((column) => run[column]))]);
