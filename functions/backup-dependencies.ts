import { setTimeout as pause } from "node:timers/promises";
import { runFiles } from "../shared/catalog/run-files.ts";
import { runSeal } from "../shared/catalog/run-seal.ts";
import { volumeCatalog } from "../shared/catalog/volume-catalog.ts";
import { eventSink } from "../shared/events/event-sink.ts";
import type { BackupDependencies } from "../shared/operations/backup-request.ts";
import { advisoryLock } from "../shared/postgres/advisory-lock.ts";
import { connectionSettings } from "../shared/postgres/connection-settings.ts";
import { expiredDatabases } from "../shared/postgres/drop-database.ts";
import { dumpToolFinder } from "../shared/postgres/dump-tool.ts";
import type { Libpq } from "../shared/postgres/libpq.ts";
import type { DumpOptions } from "../shared/postgres/pg-dump.ts";
import { databaseInspector } from "../shared/postgres/preflight.ts";
import { systemIdentifier } from "../shared/postgres/system-identifier.ts";
import { namespaceOf } from "../shared/runtime/namespace.ts";
import { version } from "../shared/version.ts";
import type { BackupConfig } from "./backup/config.ts";
import type { RestoreConfig } from "./restore/config.ts";
import type { Surroundings } from "./run-function.ts";

const now = () => new Date();

/** What a backup says of where it was taken. */
export function installationOf(config: BackupConfig | RestoreConfig): BackupDependencies["installation"] {
  const namespace = namespaceOf(config.POD_NAMESPACE);
  return { ...(namespace === undefined ? {} : { namespace }), service: config.DATABASE_SERVICE_NAME };
}

/** What a backup needs on the volume and of the server, for the function of that name and for a safety backup. */
export function backupDependencies(
  name: "backup" | "restore",
  config: BackupConfig | RestoreConfig,
  { log, searchPath }: Surroundings,
  { libpq, options }: { readonly libpq: Libpq; readonly options: DumpOptions },
): BackupDependencies {
  const connection = connectionSettings(config);
  const source = `/dormouse/${name}/${encodeURIComponent(config.POSTGRESQL_DATABASE)}`;
  return {
    catalog: volumeCatalog(config.BACKUP_DIR),
    runs: runFiles(
      config.BACKUP_DIR,
      log,
      now,
      runSeal(name, config.POSTGRESQL_DATABASE, config.POSTGRESQL_PASSWORD),
    ),
    lock: advisoryLock(connection),
    inspect: databaseInspector(connection),
    systemIdentifier: systemIdentifier(connection),
    installation: installationOf(config),
    findDumpTool: dumpToolFinder(libpq, options, { binDir: config.PG_BIN_DIR, searchPath }),
    expired: expiredDatabases(connection),
    events: eventSink(config, source, now),
    log,
    now,
    monotonicMs: () => performance.now(),
    pause: (ms, signal) => pause(ms, undefined, { signal }),
    version,
  };
}
