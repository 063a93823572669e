import { good, type Check } from "./finding.ts";
import { remedyFor } from "../postgres/grants.ts";
import { fatalOmissions, type OmissionKind } from "../postgres/lacks.ts";
import { inspectDatabase } from "../postgres/preflight.ts";
import { findClientTools, type ToolPlace } from "../postgres/client-tools.ts";
import { withSession, type ConnectionSettings } from "../postgres/session/connection.ts";
import { refusePooler } from "../postgres/session/pooler.ts";

type Looked = {
  readonly database: string;
  /** What a backup may leave out: no fault where the configuration says so. */
  readonly allowIncomplete: ReadonlySet<OmissionKind>;
};

/** The server, the client tools of its major, the place of the locks, and what the role cannot dump. */
export function databaseCheck(
  settings: ConnectionSettings,
  { database, allowIncomplete }: Looked,
  { binDir, searchPath }: ToolPlace,
): Check {
  return {
    name: "database",
    async run(signal) {
      const inspection = await inspectDatabase(settings, database, signal);
      const { role, serverVersion, serverMajor, lacks, warnings } = inspection;
      const tools = await findClientTools(serverMajor, binDir, searchPath);
      const ofLocks = { database: settings.maintenanceDatabase, what: "session for locks" };
      await withSession(settings, ofLocks, signal, refusePooler);
      const unreadable = lacks.filter(({ data }) => data);
      return [
        good(`PostgreSQL ${serverVersion} answers, and pg_dump ${tools.version} is there for it`),
        ...(tools.warning === undefined
          ? []
          : [{ state: "warning" as const, detail: tools.warning, fix: "build the image anew" }]),
        ...warnings.map((detail) => ({ state: "warning" as const, detail })),
        ...unreadable.map((lack) => ({
          state:
            fatalOmissions([lack], allowIncomplete).length === 0 ? ("warning" as const) : ("fault" as const),
          detail: `the role cannot dump ${lack.detail}: ${lack.names.slice(0, 5).join(", ")}`,
          fix: remedyFor(role, [lack]),
        })),
      ];
    },
  };
}
