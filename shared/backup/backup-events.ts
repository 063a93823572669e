import type { BackupManifest } from "../catalog/manifest.ts";
import type { Problem } from "../errors.ts";

/** The events of backups and of their mirror. */
export type BackupEvent =
  | {
      readonly type: "dev.dormouse.backup.completed";
      readonly subject: string;
      readonly data: BackupManifest;
    }
  | {
      readonly type: "dev.dormouse.backup.failed";
      readonly subject: string;
      readonly data: {
        readonly run: string;
        /** The run of all databases that this one is part of. */
        readonly sweep?: string;
        readonly database: string;
        readonly problem: Problem;
      };
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
        readonly problem: Problem;
      };
    };
