import type { BackupManifest } from "./manifest.ts";
import type { RestorePlan } from "./restore-plan.ts";
import type { RestoreResult } from "./restore-result.ts";
import type { RunProblem } from "./run.ts";

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
   * Delivers once or more, within a bound, or throws. `id` is the run's, so that a receiver can tell a repeat; the
   * caller reports a failure and never lets it fail a good backup.
   */
  send(event: OutcomeEvent, id: string, signal: AbortSignal): Promise<void>;
};
