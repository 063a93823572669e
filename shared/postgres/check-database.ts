import { good, type Check } from "../backup/finding.ts";
import type { InspectDatabase } from "../backup/inspection.ts";
import { findClientTools } from "./client-tools.ts";
import { connect, type ConnectionSettings } from "./connection.ts";
import { refusePooler } from "./pooler.ts";

type Place = { readonly binDir: string | undefined; readonly searchPath: string };

/** The server, the client tools of its major, the place of the locks, and what the role cannot dump. */
export function databaseCheck(
  settings: ConnectionSettings,
  database: string,
  inspect: InspectDatabase,
  { binDir, searchPath }: Place,
): Check {
  return {
    name: "database",
    async look(signal) {
      const { serverVersion, serverMajor, lacks } = await inspect(database, signal);
      const tools = await findClientTools(serverMajor, binDir, searchPath);
      const locks = await connect(settings, settings.maintenanceDatabase, signal);
      try {
        await refusePooler(locks);
      } finally {
        await locks.end();
      }
      const unreadable = lacks.filter(({ data }) => data);
      return [
        good(`PostgreSQL ${serverVersion} answers, and pg_dump ${tools.version} is there for it`),
        ...(tools.warning === undefined
          ? []
          : [{ state: "warning" as const, detail: tools.warning, fix: "build the image anew" }]),
        ...unreadable.map(({ detail, names }) => ({
          state: "fault" as const,
          detail: `the role cannot dump ${detail}: ${names.slice(0, 5).join(", ")}`,
          fix: "grant pg_read_all_data to the role, or name the kind in ALLOW_INCOMPLETE",
        })),
      ];
    },
  };
}
