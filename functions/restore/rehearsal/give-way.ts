import { setTimeout as pause } from "node:timers/promises";
import * as z from "zod";
import { DormouseError } from "../../../shared/errors.ts";
import type { Restoring } from "../restoring.ts";

const LOOK_EVERY_MS = 2_000;

const isMoreUrgent = z.union([
  z.object({ kind: z.literal("undo"), dryRun: z.literal(false) }),
  z.object({ strategy: z.enum(["swap", "in-place", "beside"]), dryRun: z.literal(false) }),
]);

/** A rehearsal holds its database's lock: it ends where a person asks for a restore, which waits for that. */
export async function givingWay(
  restoring: Restoring,
  work: (restoring: Restoring) => Promise<void>,
): Promise<void> {
  const [ended, gaveWay] = [new AbortController(), new AbortController()];
  const signal = AbortSignal.any([restoring.signal, ended.signal]);
  const watching = watch({ ...restoring, signal }, gaveWay);
  try {
    await work({ ...restoring, signal: AbortSignal.any([restoring.signal, gaveWay.signal]) });
  } finally {
    ended.abort();
    await watching;
  }
}

async function watch(
  { runs, settings, log, run, signal }: Restoring,
  gaveWay: AbortController,
): Promise<void> {
  while (!signal.aborted) {
    await pause(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    const waiting = await runs.unfinished("restore", settings.database).catch(() => []);
    const urgent = waiting.find(
      ({ id, request }) => id !== run.id && isMoreUrgent.safeParse(request).success,
    );
    if (urgent === undefined) continue;
    log.info("rehearsal gives way", { run: run.id, to: urgent.id });
    gaveWay.abort(
      new DormouseError("rehearsal_gave_way", `the rehearsal gave way to the restore ${urgent.id}`, {
        hint: "nothing is known of the backup: rehearse it again, or wait for the next scheduled one",
      }),
    );
    return;
  }
}
