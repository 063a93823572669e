import { setTimeout as pause } from "node:timers/promises";
import { DormouseError } from "../../../shared/errors.ts";
import type { Run } from "../../../shared/run/run.ts";
import { unlessAborted } from "../../../shared/waiting.ts";
import { strategiesThat } from "../plan/strategy.ts";
import type { Restoring } from "../restoring.ts";

const LOOK_EVERY_MS = 2_000;
const REHEARSING: readonly unknown[] = strategiesThat(({ drops }) => drops);

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

async function watch(restoring: Restoring, gaveWay: AbortController): Promise<void> {
  const { log, run, signal } = restoring;
  while (!signal.aborted) {
    await pause(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    const urgent = await findUrgent(restoring).catch(() => undefined);
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

/** The server knows which runs wait: of some thousand records, each on a volume, only theirs are read. */
async function findUrgent({ held, runs, signal }: Restoring): Promise<Run | undefined> {
  for (const id of await unlessAborted(held.waiting(), signal)) {
    const run = await runs.find(id);
    if (run?.kind === "restore" && !REHEARSING.includes(run.request["strategy"])) return run;
  }
  return undefined;
}
