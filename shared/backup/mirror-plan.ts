import { newestFirst, type Backup } from "./backup.ts";
import { serialiseManifest } from "./manifest.ts";

export type MirrorPlan = {
  /** Newest first: if time runs out, what matters most is there. */
  readonly copy: readonly Backup[];
  /** The archive is there, its manifest has changed: a pin, a verification. */
  readonly rewrite: readonly Backup[];
  /** The bucket has another backup under that name. Nothing is ever replaced by another one. */
  readonly conflicts: readonly Backup[];
};

/**
 * What the bucket lacks of one database's backups. Only the newest `keep`, and pinned ones, count: what the bucket's
 * own retention has removed, or would remove, is not sent again.
 */
export function planMirror(local: readonly Backup[], mirrored: readonly Backup[], keep: number): MirrorPlan {
  const there = new Map(mirrored.map((backup) => [backup.name, backup]));
  const plan = { copy: [] as Backup[], rewrite: [] as Backup[], conflicts: [] as Backup[] };
  const wanted = local
    .toSorted(newestFirst)
    .filter(({ manifest }, index) => index < keep || manifest.pin !== undefined);
  for (const backup of wanted) {
    const other = there.get(backup.name);
    if (other === undefined) plan.copy.push(backup);
    else if (other.manifest.archive.sha256 !== backup.manifest.archive.sha256) plan.conflicts.push(backup);
    else if (serialiseManifest(other.manifest) !== serialiseManifest(backup.manifest))
      plan.rewrite.push(backup);
  }
  return plan;
}
