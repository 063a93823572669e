import type { Omission } from "../../../shared/postgres/lacks.ts";
import type { Strategy } from "./strategy.ts";
import type { LoadChoice } from "../../../shared/postgres/load/load-choice.ts";
import type { Restorable } from "./restorable.ts";
import type { ArchiveDemands } from "../../../shared/postgres/plain-dump/plain-dump.ts";
import type { TargetFacts } from "../../../shared/postgres/properties/target-facts.ts";

/** Without a backup (an undo) nothing is loaded, and nothing of an archive can stand in the way. */
export type Given = {
  readonly facts: TargetFacts;
  readonly backup: Restorable | undefined;
  /** Whether the caller has said that the backup is another's. */
  readonly fromElsewhere?: boolean | undefined;
  readonly choice?: LoadChoice | undefined;
  /** What the archive itself holds, where it was looked at. */
  readonly demands?: ArchiveDemands | undefined;
  /** Rows that a safety backup by this role would not have. */
  readonly lacks?: readonly Omission[] | undefined;
};

export type Rule = {
  readonly kind: string;
  readonly strategies: readonly Strategy[];
  readonly detail: string;
  readonly remedy: string | ((facts: TargetFacts, names: readonly string[], given: Given) => string);
  /** What stands in the way, by name; `true` where there is nothing to name. */
  readonly found: (given: Given) => readonly string[] | boolean;
};
