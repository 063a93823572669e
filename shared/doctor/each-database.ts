import type { DatabaseChoice } from "../config/database-choice.ts";
import { problemFrom } from "../errors.ts";
import { listDatabases } from "../postgres/databases/list-databases.ts";
import type { ConnectionSettings } from "../postgres/session/connection.ts";
import type { Check, Finding } from "./finding.ts";

type Server = { readonly connection: ConnectionSettings; readonly choice: DatabaseChoice };

/** One check of the same name for all databases: where there may be several, what is found says of which it is. */
export function eachDatabase(
  { connection, choice }: Server,
  name: string,
  checkOf: (database: string) => Check,
): Check {
  if (choice.only !== undefined) return checkOf(choice.only);
  return {
    name,
    async run(signal) {
      const { wanted } = await listDatabases(connection, choice, new Set(), signal);
      if (wanted.length === 0) return [NONE];
      const found: Omit<Finding, "check">[] = [];
      for (const database of wanted) found.push(...(await checkOne(database, checkOf(database), signal)));
      return found;
    },
  };
}

const NONE = {
  state: "fault",
  detail: "the server has none of the databases that POSTGRESQL_DATABASES names",
  fix: "compare it with SELECT datname FROM pg_database",
} as const;

async function checkOne(
  database: string,
  { run }: Check,
  signal: AbortSignal,
): Promise<readonly Omit<Finding, "check">[]> {
  const of = (detail: string) => `${JSON.stringify(database)}: ${detail}`;
  try {
    return (await run(signal)).map((finding) => ({ ...finding, database, detail: of(finding.detail) }));
  } catch (error) {
    signal.throwIfAborted();
    const { message, hint } = problemFrom(error);
    return [{ state: "fault", database, detail: of(message), fix: hint }];
  }
}
