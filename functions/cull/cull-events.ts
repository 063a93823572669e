import type { Problem } from "../../shared/errors.ts";
import type { Suspicion } from "../../shared/retention/suspicion.ts";
import type { CullOutcome } from "./cull-report.ts";
import type { Staleness } from "./retention/staleness.ts";

/** The events of a cull, and of the backups that it checked. */
export type CullEvent =
  | {
      readonly type: "dev.dormouse.backup.suspect";
      readonly subject: string;
      readonly data: { readonly run: string; readonly database: string; readonly suspicion: Suspicion };
    }
  | {
      readonly type: "dev.dormouse.backup.stale" | "dev.dormouse.rehearsal.stale";
      /** The newest backup, or the last that a rehearsal proved, or the database if it has none. */
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
        readonly problem: Problem;
        /** What went before it stopped. */
        readonly removed: CullOutcome["removed"];
        readonly bytesFreed: number;
      };
    };
