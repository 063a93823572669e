import { asDormouseError } from "../../../shared/errors.ts";
import type { RestoreDependencies } from "../restore-dependencies.ts";

/**
 * The ping source, when a run has ended. One that stays wakes the function for nothing; it fails no restore. For the holder of
 * the lock of the database: the next run, which counts on the source, has it after that.
 */
export async function removeSource(
  { wakeUpSource, log }: Pick<RestoreDependencies, "wakeUpSource" | "log">,
  signal: AbortSignal,
): Promise<void> {
  const { missing } = await wakeUpSource
    .remove(signal)
    .catch((error: unknown) => ({ missing: asDormouseError(error).message }));
  if (missing !== undefined) log.warn("ping source not removed", { error: missing });
}
