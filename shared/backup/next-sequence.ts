import type { Backup } from "../catalog/backup.ts";
import { ANSWER_MS } from "../catalog/bucket/silent-bucket.ts";
import { isOwn, type Origin } from "../catalog/origin.ts";
import { hasUntrusted, trusting } from "../catalog/trusted-listing.ts";
import { asDormouseError } from "../errors.ts";
import type { TakingBackup } from "./taking-backup.ts";

/** One that falls silent in the middle must not hold the database's lock for as long as the SDK tries. */
const ASK_BUCKET_MS = 30_000;

type Given = {
  /** On the volume. */
  readonly newest: Backup | undefined;
  readonly origin: Origin;
  /** What may not be read, or bears no trusted signature, could be a later one on the volume. */
  readonly mayBeHidden: boolean;
};

/**
 * The number of the next backup. The volume may be a new one, one of an older state, or hold nothing but files of the
 * old pod: the bucket then knows how far we were, and a lower number would make the newest backups there look like the
 * oldest. If it cannot be asked and the volume does not know, or may hide some, the number is one that no count reaches: the
 * seconds since 1970.
 */
export async function nextSequence(
  { mirroring, judge, log, request: { database }, run, signal }: TakingBackup,
  { newest, origin, mayBeHidden }: Given,
): Promise<number> {
  const beyondAnyCount = Math.floor(Date.now() / 1000);
  const onVolume = Math.max(newest?.sequence ?? 0, mayBeHidden ? beyondAnyCount : 0);
  if (mirroring === undefined) return onVolume + 1;
  try {
    const soon = AbortSignal.any([signal, AbortSignal.timeout(ASK_BUCKET_MS)]);
    const { backups, foreign } = await trusting(mirroring.mirror, judge).list(soon, ANSWER_MS);
    const own = backups.filter((backup) => backup.database === database && isInBucket(origin, backup));
    const least = hasUntrusted(foreign, database) ? Math.max(onVolume, beyondAnyCount) : onVolume;
    return own.reduce((last, { sequence }) => Math.max(last, sequence), least) + 1;
  } catch (error) {
    if (signal.aborted) throw error;
    const { code, message } = asDormouseError(error);
    log.warn("bucket sequence lookup failed", { run: run.id, code, error: message });
    return onVolume > 0 ? onVolume + 1 : beyondAnyCount;
  }
}

/** To count beyond what may be one's own costs nothing. */
function isInBucket(origin: Origin, backup: Backup): boolean {
  return backup.manifest.origin === undefined || isOwn(origin, backup);
}
