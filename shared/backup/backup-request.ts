import type { VolumeCatalog } from "../catalog/catalog.ts";
import type { DatabaseLock } from "../postgres/database-lock.ts";
import type { FindDumpTool } from "../postgres/dump.ts";
import type { Encryption, SignManifest } from "../catalog/encryption.ts";
import type { InspectDatabase, LackKind } from "../postgres/inspection.ts";
import type { Origin } from "../catalog/origin.ts";
import type { Expired } from "../postgres/databases/own-database.ts";
import type { RunStore } from "../run/run.ts";
import type { Log } from "../log.ts";
import type { MirrorPolicy } from "./mirror-backups.ts";
import type { EventSink } from "../events/event-sink.ts";

/** The ports and clocks that taking a backup needs. */
export type BackupDependencies = {
  readonly catalog: VolumeCatalog;
  readonly runs: RunStore;
  readonly lock: DatabaseLock;
  readonly inspect: InspectDatabase;
  /** What the server is called by itself, unless the role may not ask. */
  readonly systemIdentifier: (signal: AbortSignal) => Promise<string | undefined>;
  /** Where this function stands, and under which name it reaches the server. */
  readonly installation: Omit<Origin, "system" | "formerly">;
  readonly findDumpTool: FindDumpTool;
  /** Unset: archives are stored as pg_dump wrote them. */
  readonly encryption?: Encryption | undefined;
  /** Unset: manifests bear no signature. */
  readonly sign?: SignManifest | undefined;
  /** Unset: there is no bucket. */
  readonly mirroring?: MirrorPolicy | undefined;
  readonly events: EventSink;
  readonly expired: Expired;
  readonly log: Log;
  readonly now: () => Date;
  /** A clock that is never set. */
  readonly monotonicMs: () => number;
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Of Dormouse itself. */
  readonly version: string;
};

export type BackupRequest = {
  readonly database: string;
  readonly label?: string | undefined;
  readonly pin?: string | undefined;
  /** Answer with the newest verified backup if it is not older. */
  readonly ifOlderThanMs?: number | undefined;
  /** Kinds of missing data that somebody said are fine. */
  readonly allowIncomplete: ReadonlySet<LackKind>;
  /** How long transient faults are tried again. */
  readonly retryForMs: number;
  /** An event cannot be told to come back later: it waits for the lock as for any transient fault. */
  readonly waitsForLock: boolean;
  /** Somebody waits: what the bucket lacks is left to the next backup. */
  readonly leavesMirror?: boolean | undefined;
};
