import type { CullOutcome } from "../../functions/cull/cull-report.ts";
import type { BackupManifest } from "../catalog/manifest.ts";
import type { RestorePlan } from "../../functions/restore/plan/restore-plan.ts";
import type { RestoreResult } from "../../functions/restore/journal/restore-result.ts";
import type { RunProblem } from "../run/run.ts";
import type { Staleness } from "../../functions/cull/retention/staleness.ts";
import type { Suspicion } from "../retention/suspicion.ts";

/** What became of a run, as others hear of it. */
export type OutcomeEvent =
  | {
      readonly type: "dev.dormouse.backup.completed";
      readonly subject: string;
      readonly data: BackupManifest;
    }
  | {
      readonly type: "dev.dormouse.backup.failed";
      readonly subject: string;
      readonly data: { readonly run: string; readonly database: string; readonly problem: RunProblem };
    }
  | {
      readonly type: "dev.dormouse.mirror.failed";
      /** The newest backup that the bucket lacks, or the database. */
      readonly subject: string;
      readonly data: {
        readonly run: string;
        readonly database: string;
        readonly copied: readonly string[];
        readonly lacking: readonly string[];
        readonly problem: RunProblem;
      };
    }
  | {
      readonly type: "dev.dormouse.backup.suspect";
      readonly subject: string;
      readonly data: { readonly run: string; readonly database: string; readonly suspicion: Suspicion };
    }
  | {
      readonly type: "dev.dormouse.backup.stale";
      /** The newest backup, or the database if it has none that was verified. */
      readonly subject: string;
      readonly data: {
        readonly run: string;
        readonly place: CullOutcome["place"];
        readonly database: string;
        readonly staleness: Staleness;
      };
    }
  | {
      readonly type: "dev.dormouse.cull.completed";
      /** Which catalog: `volume` or `bucket`. */
      readonly subject: string;
      readonly data: CullOutcome & { readonly run: string };
    }
  | {
      readonly type: "dev.dormouse.cull.failed";
      /** The catalog that could not be culled, or not to the end. */
      readonly subject: string;
      readonly data: {
        readonly run: string;
        readonly place: CullOutcome["place"];
        readonly problem: RunProblem;
        /** What went before it stopped. */
        readonly removed: CullOutcome["removed"];
        readonly bytesFreed: number;
      };
    }
  | {
      readonly type: "dev.dormouse.restore.planned";
      readonly subject: string;
      readonly data: RestorePlan;
    }
  | {
      readonly type: "dev.dormouse.restore.completed" | "dev.dormouse.restore.undone";
      readonly subject: string;
      readonly data: RestoreResult;
    }
  | {
      readonly type: "dev.dormouse.restore.rolledback";
      readonly subject: string;
      readonly data: { readonly run: string; readonly database: string; readonly problem: RunProblem };
    };

export type EventSink = {
  /**
   * Delivers once or more, within a bound, or throws. `run` makes the id, together with type and subject, so that a
   * receiver can tell a repeat; the caller reports a failure and never lets it fail a good backup.
   */
  send(event: OutcomeEvent, run: string, signal: AbortSignal): Promise<void>;
};
