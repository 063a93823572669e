import type { Problem } from "../../../shared/errors.ts";
import type { RestoreResult } from "./restore-result.ts";
import type { RestorePlan } from "../plan/restore-plan.ts";

/** What others hear of a restore. */
export type RestoreEvent =
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
      /** Unsettled: it is neither complete nor taken back, and the next process goes on. */
      readonly type: "dev.dormouse.restore.rolledback" | "dev.dormouse.restore.unsettled";
      readonly subject: string;
      readonly data: { readonly run: string; readonly database: string; readonly problem: Problem };
    };
