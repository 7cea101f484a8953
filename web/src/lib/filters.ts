/** A list's filters, and how they stand in the address: read, changed, written, nothing else kept elsewhere. */

export type Filters = Record<string, string[]>;

/** Reads the known names only; unknown ones in a shared link are left out. */
export function readFilters(search: string, known: readonly string[]): Filters {
  const fields = new URLSearchParams(search);
  const filters: Filters = {};
  for (const name of known) {
    const values = [...new Set(fields.getAll(name).filter(Boolean))];
    if (values.length > 0) filters[name] = values;
  }
  return filters;
}

/** The query with its question mark, names in their known order, so that equal filters give equal links. */
export function writeFilters(filters: Filters, known: readonly string[]): string {
  const fields = new URLSearchParams();
  for (const name of known) for (const value of filters[name] ?? []) fields.append(name, value);
  const text = fields.toString();
  return text && `?${text}`;
}

export const one = (filters: Filters, name: string): string => filters[name]?.[0] ?? '';

export function withFilter(filters: Filters, name: string, values: string[]): Filters {
  const { [name]: _, ...rest } = filters;
  const wanted = values.filter(Boolean);
  return wanted.length > 0 ? { ...rest, [name]: wanted } : rest;
}
