import type { CullReport as Culled } from "../functions/cull/cull-report.ts";
import type { RestoreResult as Restored } from "../functions/restore/journal/restore-result.ts";
import type { RestorePlan as Planned } from "../functions/restore/plan/restore-plan.ts";
import type { RestoreOverview } from "../functions/restore/show-restores.ts";
import type { Report } from "../shared/doctor/finding.ts";
import type { PlacedListing } from "../shared/catalog/merged-catalog.ts";
import type { BackupManifest } from "../shared/catalog/manifest.ts";
import type { Run as Recorded } from "../shared/run/run.ts";

/** As JSON brings it: a date is text. */
type Wire<Value> = Value extends Date
  ? string
  : Value extends readonly (infer Item)[]
    ? readonly Wire<Item>[]
    : Value extends object
      ? { readonly [Key in keyof Value]: Wire<Value[Key]> }
      : Value;

export const FUNCTIONS = ["backup", "cull", "restore"] as const;
export type FunctionName = (typeof FUNCTIONS)[number];

export type Manifest = Wire<BackupManifest>;
/** One of several databases: `manifest`, or only its name where the run was asked for later, or why there is none. */
export type Swept = {
  readonly database: string;
  readonly manifest?: Manifest;
  readonly backup?: string;
  readonly problem?: { readonly code: string; readonly message: string };
};
/** What a backup of several databases is answered with. */
export type Sweep = { readonly databases: readonly Swept[] };
export type Catalog = Wire<RestoreOverview & Pick<PlacedListing, "bucketProblem">>;
/** `places` where there is a bucket. */
export type Backup = Catalog["backups"][number] & { readonly places?: readonly string[] };
export type Run = Wire<Recorded>;
export type Step = Run["steps"][number];
export type RestorePlan = Wire<Planned>;
export type RestoreResult = Wire<Restored>;
export type CullReport = Wire<Culled>;
export type Examination = Report;
