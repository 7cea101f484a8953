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

const BEFORE = `
import sqlite3, sys
database, count = sqlite3.connect(sys.argv[1], timeout=30), int(sys.argv[2])
columns = lambda table: [one[1] for one in database.execute(f"PRAGMA table_info({table})")]
job_names, run_names = columns("jobs"), columns("runs")
job = dict(zip(job_names, database.execute("SELECT * FROM jobs ORDER BY id LIMIT 1").fetchone()))
runs = [dict(zip(run_names, row)) for row in database.execute("SELECT * FROM runs WHERE job = ?", (job["id"],)).fetchall()]
def put(table, row):
    database.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", list(row.values()))
for n in range(1, count + 1):
    name = n.to_bytes(16, "big")
    put("jobs", {**job, "id": name, "grant_id": name})
    for at, run in enumerate(runs):
        put("runs", {**run, "id": (n * 1000 + at).to_bytes(16, "big"), "job": name, "grant_id": name})
database.commit()
`;

/** So many jobs ran before all that there are: copies of the oldest one, with its runs. */
export function jobsBefore(place: Installation, count: number): void {
  execFileSync('python3', ['-c', BEFORE, join(place.folder, 'data/sallyport.db'), String(count)]);
}
