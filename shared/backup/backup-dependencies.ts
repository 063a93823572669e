import { setTimeout as pause } from "node:timers/promises";
import { runFiles } from "../run/run-files.ts";
import { runSeal } from "../run/run-seal.ts";
import { volumeCatalog } from "../catalog/volume/volume-catalog.ts";
import { eventSink } from "../events/event-sink.ts";
import { both, notifier, type NotifyConfig } from "../events/notify/notifier.ts";
import type { SinkConfig } from "../events/sink-config.ts";
import type { Log } from "../log.ts";
import type { BackupDependencies } from "./backup-request.ts";
import { advisoryLock } from "../postgres/session/advisory-lock.ts";
import { connectionSettings, type DatabaseVariables } from "../postgres/session/connection-settings.ts";
import { expiredDatabases } from "../postgres/databases/drop-database.ts";
import { dumpToolFinder } from "../postgres/dump-tool.ts";
import type { Libpq } from "../postgres/session/libpq.ts";
import type { DumpOptions } from "../postgres/pg-dump.ts";
import { databaseInspector } from "../postgres/preflight.ts";
import { systemIdentifier } from "../postgres/session/system-identifier.ts";
import { namespaceOf } from "../kubernetes/namespace.ts";
import { version } from "../version.ts";

type InstallationSettings = {
  readonly POD_NAMESPACE?: string | undefined;
  readonly DATABASE_SERVICE_NAME: string;
};

/** What a function that takes backups is told by its environment. */
type Settings = InstallationSettings &
  SinkConfig &
  NotifyConfig &
  DatabaseVariables & {
    readonly BACKUP_DIR: string;
    readonly POSTGRESQL_DATABASE: string;
    readonly PG_BIN_DIR?: string | undefined;
  };

const now = () => new Date();

/** What a backup says of where it was taken. */
export function installationOf(config: InstallationSettings): BackupDependencies["installation"] {
  const namespace = namespaceOf(config.POD_NAMESPACE);
  return { ...(namespace === undefined ? {} : { namespace }), service: config.DATABASE_SERVICE_NAME };
}

/** What a backup needs on the volume and of the server, for the function of that name and for a safety backup. */
export function backupDependencies(
  name: "backup" | "restore",
  config: Settings,
  { log, searchPath }: { readonly log: Log; readonly searchPath: string },
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
    events: both(eventSink(config, source, now), notifier(config)),
    log,
    now,
    monotonicMs: () => performance.now(),
    pause: (ms, signal) => pause(ms, undefined, { signal }),
    version,
  };
}
