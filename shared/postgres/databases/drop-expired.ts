import type { Expired } from "./own-database.ts";
import { asDormouseError } from "../../errors.ts";
import type { Log } from "../../log.ts";

type Dependencies = { readonly expired: Expired; readonly log: Log };

/**
 * Drops the databases that restores of `live` kept for undoing and whose time is over. For the holder of its lock.
 * One that cannot be dropped is reported and tried again by the next run; it fails nothing.
 */
export async function dropExpired(
  { expired, log }: Dependencies,
  live: string,
  signal: AbortSignal,
): Promise<void> {
  try {
    const { dropped, failed, unmarked } = await expired.drop(live, signal);
    for (const database of dropped) log.info("kept database dropped", { database });
    for (const { database, problem } of failed)
      log.warn("kept database not dropped", { database, code: problem.code, error: problem.message });
    if (unmarked.length > 0)
      log.warn("databases left: the server does not say that a restore kept them", {
        databases: unmarked,
        hint: "an earlier version kept them: look at them, then DROP DATABASE by hand",
      });
  } catch (error) {
    signal.throwIfAborted();
    const { code, message } = asDormouseError(error);
    log.warn("expired databases not checked", { code, error: message });
  }
}
