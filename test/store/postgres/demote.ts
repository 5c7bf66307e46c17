/** Makes a server what a primary is after a failover: whoever is connected cannot write any more. */
import pg from 'pg';

/** @param leavesNew connections from now on may write: the address leads to the new primary */
export async function demote(url: string, leavesNew: boolean): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    if (leavesNew) await client.query('ALTER ROLE turnkeep SET default_transaction_read_only = off');
    await client.query('ALTER SYSTEM SET default_transaction_read_only = on');
    await client.query('SELECT pg_reload_conf()');
  } finally {
    await client.end();
  }
}
