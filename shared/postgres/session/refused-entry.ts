import { asDormouseError } from "../../errors.ts";
import { withSession, type ConnectionSettings } from "./connection.ts";

/**
 * Why pg_hba.conf would not let this role into a database of that name, which need not be there: the server looks at its lines
 * first, and logs that there is no such database. That it lets the role into others says nothing: lines may name them. Nothing else
 * counts here: a session that fails for another reason says so where it is needed.
 */
export async function refusedEntry(
  settings: ConnectionSettings,
  database: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  try {
    await withSession(settings, { database, what: "entry" }, signal, async () => undefined);
  } catch (error) {
    signal.throwIfAborted();
    const { message } = asDormouseError(error);
    if (message.includes("pg_hba.conf")) return [message];
  }
  return [];
}
