import type { Problem } from "../../../shared/errors.ts";

/** The events of a run over all databases, beside those of each. */
export type SweepEvent = {
  readonly type: "dev.dormouse.backup.swept";
  /** The server, as the function reaches it. */
  readonly subject: string;
  readonly data: {
    readonly run: string;
    /** The backups that there are of this run, by their names. */
    readonly taken: readonly { readonly database: string; readonly backup: string }[];
    readonly failed: readonly {
      readonly database: string;
      readonly run?: string;
      readonly problem: Problem;
    }[];
    /** Databases of which there was no backup before. */
    readonly new: readonly string[];
    /** Databases that have backups and are not on the server any more, until they are retired. */
    readonly vanished: readonly string[];
  };
};
