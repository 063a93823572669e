import { asDormouseError } from "../../errors.ts";
import { connect, type ConnectionSettings } from "./connection.ts";

/** It is there in nearly every server, and what lets a role into it by `all` lets it into a new one. */
const COMMON = "template1";

/**
 * Why pg_hba.conf would not let this role into a database of that name, which need not be there: the server looks at its lines
 * first. That leaves an error in its log, so the common way in is tried before. Nothing else counts here: a session that fails for
 * another reason says so where it is needed.
 */
export async function refusedEntry(
  settings: ConnectionSettings,
  database: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if ((await refusal(settings, COMMON, signal)) === undefined) return [];
  const why = await refusal(settings, database, signal);
  return why === undefined ? [] : [why];
}

async function refusal(
  settings: ConnectionSettings,
  database: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const client = await connect(settings, database, signal);
    await client.end();
  } catch (error) {
    signal.throwIfAborted();
    const { message } = asDormouseError(error);
    if (message.includes("pg_hba.conf")) return message;
  }
  return undefined;
}
