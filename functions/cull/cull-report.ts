import type { KeepReason } from "../../shared/retention/keep-rules.ts";
import type { CullPlan, CullRefusal, RemovedBackup } from "./retention/retention.ts";
import type { Staleness } from "./retention/staleness.ts";
import type { Suspicion } from "../../shared/retention/suspicion.ts";

export type Removal = {
  readonly name: string;
  readonly database: string;
  readonly sizeBytes: number;
  readonly reason: string;
};

/** What a cull has done to one catalog. */
export type CullOutcome = {
  readonly place: "volume" | "bucket";
  /** Oldest first. */
  readonly removed: readonly Removal[];
  readonly bytesFreed: number;
  /** Planned, and still there: the limit of a run, or a pin or a run that came since. */
  readonly remaining: readonly { readonly name: string; readonly why: string }[];
  /** Databases of which nothing was removed on purpose. */
  readonly refused: readonly (CullRefusal & { readonly database: string })[];
  readonly kept: number;
};

/** What is kept of one database and what goes, as answers and records show it. */
type DatabasePlan = {
  readonly database: string;
  readonly keep: readonly { readonly name: string; readonly reasons: readonly KeepReason[] }[];
  readonly remove: readonly Omit<Removal, "database">[];
  readonly refusal?: CullRefusal;
  readonly suspicion?: Suspicion;
  readonly staleness?: Staleness;
  readonly staleRehearsal?: Staleness;
};

export type LegacyPlan = { readonly remove: readonly Removal[]; readonly kept: number };

export type CullReport = CullOutcome & {
  readonly dryRun: boolean;
  readonly databases: readonly DatabasePlan[];
  /** Files of the old pod, damaged ones too. They neither count nor go. */
  readonly legacyFiles: number;
  /** In a dry run, if there is any: what would become of files that Dormouse did not write with CULL_LEGACY=true. */
  readonly withCullLegacy?: LegacyPlan | undefined;
  /** Whatever else lies there. It neither counts nor goes. */
  readonly foreignEntries: number;
  /** Backups of other origins in the same place. They neither count nor go. */
  readonly elsewhere: readonly { readonly origin: string; readonly backups: number }[];
};

export function toRemoval({ backup, reason }: RemovedBackup): Removal {
  return { name: backup.name, database: backup.database, sizeBytes: backup.sizeBytes, reason };
}

export function toPlan({
  database,
  keep,
  remove,
  refusal,
  suspicion,
  staleness,
  staleRehearsal,
}: CullPlan): DatabasePlan {
  return {
    database,
    keep: keep.map(({ backup, reasons }) => ({ name: backup.name, reasons })),
    remove: remove.map(({ backup: { name, sizeBytes }, reason }) => ({ name, sizeBytes, reason })),
    ...(refusal === undefined ? {} : { refusal }),
    ...(suspicion === undefined ? {} : { suspicion }),
    ...(staleness === undefined ? {} : { staleness }),
    ...(staleRehearsal === undefined ? {} : { staleRehearsal }),
  };
}
