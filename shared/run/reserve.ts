import { randomBytes } from "node:crypto";
import * as promises from "../catalog/volume/volume-calls.ts";
import { join } from "node:path";
import type { RunStore } from "./run.ts";
import { asDormouseError, readCode } from "../errors.ts";
import type { Log } from "../log.ts";
import * as file from "../catalog/volume/files.ts";

/** Enough for the records of a cull, small beside any backup. */
const RESERVE_BYTES = 1 << 20;
const PATH = [".dormouse", "reserve"] as const;

/**
 * Lays a file by while there is room, for a cull to give up when there is none: it must be able to record that it
 * makes room. Random bytes, since some file systems store nothing for zeros.
 */
export async function keepReserve(backupDir: string, log: Log): Promise<void> {
  const path = join(backupDir, ...PATH);
  try {
    await file.writeNew(promises, path, randomBytes(RESERVE_BYTES).toString("latin1"));
  } catch (error) {
    if (readCode(error) === "EEXIST") return;
    await file.clearUp(() => file.removeIfThere(promises, path));
    log.warn("reserve file not created", { error: String(error) });
  }
}

/** Records as `store` does; when the volume is full, gives up the reserve and tries once more. */
export function withReserve(store: RunStore, backupDir: string, log: Log): RunStore {
  async function withRoom<Result>(record: () => Promise<Result>): Promise<Result> {
    try {
      return await record();
    } catch (error) {
      const isFull = asDormouseError(error).code === "disk_full";
      if (!isFull || !(await file.removeIfThere(promises, join(backupDir, ...PATH)))) throw error;
      log.warn("reserve file released", { error: String(error) });
      return record();
    }
  }
  return {
    ...store,
    begin: (...asked) => withRoom(() => store.begin(...asked)),
    update: (run) => withRoom(() => store.update(run)),
  };
}
