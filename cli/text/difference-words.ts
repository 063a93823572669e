import { plural } from "./units.ts";
import type { Difference } from "../commands/compare-backups.ts";

const WORDS = {
  schema: "the schema: definitions, owners or grants",
  sequences: "values of sequences",
  largeObjects: "large objects",
} as const;

/** What changed besides tables, as far as hashes tell. */
export function otherChanges({ changed }: Difference): string[] {
  return Object.entries(WORDS).flatMap(([what, words]) =>
    changed[what as keyof typeof WORDS] === true ? [words] : [],
  );
}

/** What did not change, and how that is known. */
export function restText({ isSame, unchanged, changed }: Difference): string {
  if (isSame) return "nothing changed: all values and the schema are the same";
  const isHashed = changed.schema !== undefined;
  return `${plural(unchanged, "table")} with ${isHashed ? "the same values" : "as many rows as before"}`;
}
