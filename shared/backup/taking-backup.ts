import { runFiles } from "../run/run-files.ts";
import { runSeal } from "../run/run-record.ts";
import { ALL_DATABASES, type RunContext, type RunStore } from "../run/run.ts";
import { databaseChoice } from "../config/database-choice.ts";
import type { VolumeCatalog } from "../catalog/catalog.ts";
import type { WriterKeys } from "../catalog/encryption/protection.ts";
import { trusting } from "../catalog/trusted-listing.ts";
import type { Backup } from "../catalog/backup.ts";
import { ownOrigin, type Origin } from "../catalog/origin.ts";
import { knownServer } from "../catalog/legacy/decide-database.ts";
import { volumeCatalog } from "../catalog/volume/volume-catalog.ts";
import { eventSink, type EventSink } from "../events/event-sink.ts";
import { both, notifier } from "../events/notify/notifier.ts";
import type { NotifyConfig } from "../events/notify/receiver.ts";
import type { SinkConfig } from "../events/sink-config.ts";
import type { Log } from "../log.ts";
import { advisoryLock, type DatabaseLock } from "../postgres/session/advisory-lock.ts";
import type { HeldDatabase } from "../postgres/databases/held-database.ts";
import type { ConnectionSettings } from "../postgres/session/connection.ts";
import { connectionSettings, type DatabaseVariables } from "../postgres/session/connection-settings.ts";
import { expiredDatabases } from "../postgres/databases/drop-database.ts";
import type { Expired } from "../postgres/databases/own-database.ts";
import type { ToolPlace } from "../postgres/client-tools.ts";
import type { OmissionKind } from "../postgres/lacks.ts";
import type { Libpq } from "../postgres/session/libpq.ts";
import type { DumpOptions } from "../postgres/pg-dump.ts";
import { systemIdentifier } from "../postgres/session/ask-server.ts";
import { findNamespace } from "../kubernetes/namespace.ts";
import type { MirrorPolicy } from "./mirror-backups.ts";

/** What a function takes its backups with: one for all its runs. */
export type BackupDependencies = WriterKeys & {
  readonly connection: ConnectionSettings;
  readonly libpq: Libpq;
  readonly dumpOptions: DumpOptions;
  readonly toolPlace: ToolPlace;
  readonly catalog: VolumeCatalog;
  readonly runs: RunStore;
  readonly lock: DatabaseLock;
  /** What the server is called by itself, unless the role may not ask. */
  readonly systemIdentifier: (signal: AbortSignal) => Promise<string | undefined>;
  /** Where this function stands, and under which name it reaches the server. */
  readonly installation: Omit<Origin, "system" | "formerly">;
  /** Unset: there is no bucket. */
  readonly mirroring?: MirrorPolicy | undefined;
  readonly events: EventSink;
  readonly expired: Expired;
  readonly log: Log;
};

export type BackupRequest = {
  readonly database: string;
  readonly label?: string | undefined;
  readonly pin?: string | undefined;
  /** Answer with the newest verified backup if it is not older. */
  readonly ifOlderThanMs?: number | undefined;
  /** Kinds of missing data that the operator allows. */
  readonly allowIncomplete: ReadonlySet<OmissionKind>;
  /** Patterns of tables whose rows are left out, and who said so. */
  readonly exclude?: { readonly by: "configuration" | "request"; readonly patterns: readonly string[] };
  /** How long transient faults are tried again. */
  readonly retryForMs: number;
  /** An event cannot be asked to come back later: it waits for the lock as for any transient fault. */
  readonly waitsForLock: boolean;
  /** The lock of the database, where the caller holds it: a restore in place. The next backup sends what the bucket lacks. */
  readonly held?: HeldDatabase | undefined;
};

/** One backup: what it is taken with, what was asked for, and its run. Under the lock its signal also ends with that. */
export type TakingBackup = BackupDependencies & RunContext & { readonly request: BackupRequest };

type InstallationSettings = {
  readonly POD_NAMESPACE?: string | undefined;
  readonly DATABASE_SERVICE_NAME: string;
};

/** The configuration of a function that takes backups. */
type Settings = InstallationSettings &
  SinkConfig &
  NotifyConfig &
  DatabaseVariables & {
    readonly BACKUP_DIR: string;
    readonly POSTGRESQL_DATABASE?: string | undefined;
    readonly POSTGRESQL_DATABASES?: readonly string[] | undefined;
    readonly PG_BIN_DIR?: string | undefined;
  };

/** What a backup says of where it was taken. */
function describeInstallation(config: InstallationSettings): BackupDependencies["installation"] {
  const namespace = findNamespace(config.POD_NAMESPACE);
  return { ...(namespace === undefined ? {} : { namespace }), service: config.DATABASE_SERVICE_NAME };
}

/** One's own origin, by what the server says now and by what lies on the volume. */
export async function originNow(
  { systemIdentifier, installation }: Pick<BackupDependencies, "systemIdentifier" | "installation">,
  onVolume: readonly Backup[],
  signal: AbortSignal,
): Promise<Origin> {
  const system = await systemIdentifier(signal);
  return ownOrigin({ ...installation, ...(system === undefined ? {} : { system }) }, onVolume);
}

type Tools = Pick<BackupDependencies, "libpq" | "dumpOptions"> & { readonly keys: WriterKeys };

/**
 * Made once for the function of that name: for the backups of one, for the safety backups of the other. What belongs to one
 * database is so as if it had a function of its own: its records, and where its events come from.
 */
export function backupDependencies(
  name: "backup" | "restore",
  config: Settings,
  { log, searchPath }: { readonly log: Log; readonly searchPath: string },
  { libpq, dumpOptions, keys }: Tools,
): (database: string) => BackupDependencies {
  const connection = connectionSettings(config);
  const { includes } = databaseChoice(config);
  const covers = (database: string) => database === ALL_DATABASES || includes(database);
  const seal = runSeal(name, covers, config.POSTGRESQL_PASSWORD);
  const catalog = trusting(
    volumeCatalog(config.BACKUP_DIR, undefined, { known: knownServer(config) }),
    keys.judge,
  );
  const people = notifier(config, catalog);
  const source = `/dormouse/${name}`;
  const common = {
    connection,
    libpq,
    dumpOptions,
    toolPlace: { binDir: config.PG_BIN_DIR, searchPath },
    ...keys,
    catalog,
    runs: runFiles(config.BACKUP_DIR, log, seal),
    lock: advisoryLock(connection),
    systemIdentifier: systemIdentifier(connection),
    installation: describeInstallation(config),
    expired: expiredDatabases(connection),
    log,
  };
  return (database) => {
    const from = database === ALL_DATABASES ? source : `${source}/${encodeURIComponent(database)}`;
    return { ...common, events: both(eventSink(config, from), people) };
  };
}
