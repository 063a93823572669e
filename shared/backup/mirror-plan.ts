import { newestFirst, type Backup } from "../catalog/backup.ts";
import { keepReasons, type KeepRule } from "../retention/keep-rules.ts";
import { serialiseManifest } from "../catalog/manifest.ts";
import type { KeepPolicy } from "../retention/retention-policy.ts";

type MirrorPlan = {
  /** Newest first: if time runs out, what matters most is there. */
  readonly copy: readonly Backup[];
  /** The archive is there, its manifest has changed: a pin, a verification. */
  readonly rewrite: readonly Backup[];
  /** The bucket has another backup under that name. Nothing is ever replaced by another one. */
  readonly conflicts: readonly Backup[];
};

/** What the retention of the bucket counts, and what a person pinned. */
const SENT = new Set<KeepRule>(["newest", "daily", "weekly", "monthly", "yearly", "within", "pinned"]);

/**
 * What the bucket lacks of one database's backups. Only what its retention would keep counts: what that has removed, or
 * would remove, is not sent again, and a busy day displaces no backup of another one that the bucket still lacks.
 */
export function planMirror(
  local: readonly Backup[],
  mirrored: readonly Backup[],
  { keep, now }: { readonly keep: KeepPolicy; readonly now: Date },
): MirrorPlan {
  const there = new Map(mirrored.map((backup) => [backup.name, backup]));
  const plan = { copy: [] as Backup[], rewrite: [] as Backup[], conflicts: [] as Backup[] };
  const ordered = local.toSorted(newestFirst);
  const reasons = keepReasons(ordered, keep, { now, inUse: new Map() });
  const wanted = ordered.filter(
    ({ name }, index) => index < keep.newest || reasons.get(name)?.some(({ rule }) => SENT.has(rule)),
  );
  for (const backup of wanted) {
    const other = there.get(backup.name);
    if (other === undefined) plan.copy.push(backup);
    else if (other.manifest.archive.sha256 !== backup.manifest.archive.sha256) plan.conflicts.push(backup);
    else if (serialiseManifest(other.manifest) !== serialiseManifest(backup.manifest))
      plan.rewrite.push(backup);
  }
  return plan;
}
