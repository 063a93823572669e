import { asDormouseError } from "../errors.ts";
import type { RestoreDependencies } from "./restore-dependencies.ts";

/** The ping source of a run that has ended. One that stays wakes the function for nothing; it fails no restore. */
export async function removeSource(
  { resumeSource, log }: Pick<RestoreDependencies, "resumeSource" | "log">,
  run: string,
  signal: AbortSignal,
): Promise<void> {
  const { missing } = await resumeSource
    .remove(run, signal)
    .catch((error: unknown) => ({ missing: asDormouseError(error).message }));
  if (missing !== undefined) log.warn("ping source not removed", { run, error: missing });
}
