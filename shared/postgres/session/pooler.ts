import type pg from "pg";
import { DormouseError } from "../../errors.ts";

export const POOLER_HINT =
  "let DATABASE_SERVICE_NAME and PGPORT name the server itself: a lock, the settings of a session and a restore need a session of their own";

/** What node-postgres keeps of the server's BackendKeyData, and its types leave out. */
type Connected = pg.Client & { readonly processID?: number | null };

/**
 * Refuses a session that a pooler between this process and the server may give to others: an advisory lock would then
 * exclude no session. A pooler makes up the process id that it sends at the start (BackendKeyData,
 * https://www.postgresql.org/docs/current/protocol-flow.html), and many drop what `options` asks for. Answers the id of
 * the server's process. Throws `pooler_refused`.
 */
export async function refusePooler(client: Connected): Promise<number> {
  const { rows } = await client.query<{ pid: number; security: string }>(
    "SELECT pg_backend_pid() AS pid, current_setting('row_security') AS security",
  );
  const { pid = 0, security } = rows[0] ?? {};
  if (client.processID !== pid)
    throw pooled(`the session was begun with process ${client.processID}, and process ${pid} answers`);
  if (security !== "off") throw pooled("the settings that the session was begun with are not in force");
  return pid;
}

function pooled(sign: string): DormouseError {
  return new DormouseError("pooler_refused", `a connection pooler stands before the server: ${sign}`, {
    hint: POOLER_HINT,
  });
}
