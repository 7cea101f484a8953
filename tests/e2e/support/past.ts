import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { Installation } from './installation.js';

/** Written beside the server, as if it had happened so much earlier: no clock is turned, neither the server's nor the browser's. */
const EARLIER = `
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], timeout=30)
table, micros, where, columns = sys.argv[2], int(sys.argv[3]) * 1_000_000, sys.argv[4], sys.argv[5:]
database.execute(f"UPDATE {table} SET " + ", ".join(f"{column} = {column} - {micros}" for column in columns) + f" WHERE {where}")
database.commit()
`;

function earlier(place: Installation, table: string, secs: number, columns: string[], where = 'true'): void {
  execFileSync('python3', ['-c', EARLIER, join(place.folder, 'data/sallyport.db'), table, String(secs), where, ...columns]);
}

/** Everybody's account is so many days older. */
export const accountsAge = (place: Installation, days: number) => earlier(place, 'users', days * 86_400, ['created']);

/** Every session's person proved who they are so many minutes earlier. */
export const proofsAge = (place: Installation, minutes: number) => earlier(place, 'sessions', minutes * 60, ['auth_time', 'step_up_at']);

/** Every session began so many hours earlier. */
export const sessionsAge = (place: Installation, hours: number) => earlier(place, 'sessions', hours * 3600, ['created', 'last_active']);

/** The factor of this name was made and used so many days earlier. */
export const factorAges = (place: Installation, name: string, days: number) => earlier(place, 'factors', days * 86_400, ['created', 'last_used'], `name = '${name}'`);
