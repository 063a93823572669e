import { compareLoaded } from "./rehearsal/compare-loaded.ts";
import { choiceOf } from "../../shared/postgres/databases/load-choice.ts";
import type { Restorable } from "./plan/restorable.ts";
import type { RestoreTools } from "../../shared/postgres/databases/restore-port.ts";
import { progressOf } from "../../shared/run/progress.ts";
import type { RunContext } from "../../shared/run/run.ts";
import { EFFECTS } from "./plan/strategy.ts";
import { ownDatabase } from "./journal/journal.ts";
import { asDormouseError, DormouseError } from "../../shared/errors.ts";
import { refuseUnmet } from "./plan-restore.ts";
import type { RestoreDependencies } from "./restore-dependencies.ts";
import type { JournaledRun } from "./journal/journaled-run.ts";
import { verifyArchive } from "./verify-archive.ts";

const LOOK_EVERY_MS = 2_000;

/**
 * Verifies the archive and loads it into the database that the journal names, which is new; then ANALYZE, and what
 * was loaded against the backup. The live database and its application notice nothing.
 */
export async function loadBeside(
  deps: RestoreDependencies,
  saga: JournaledRun,
  backup: Restorable,
  tools: RestoreTools,
): Promise<void> {
  const { run, signal, step } = saga.context;
  const { database, loaded, strategy, ...begun } = saga.journal();
  const choice = choiceOf(begun);
  const own = ownDatabase(saga.journal(), run.id);
  if (own === undefined) throw new DormouseError("internal", `${strategy} loads no database of its own`);
  const likeness = { like: database, otherwise: backup.manifest?.properties };
  const makeEmpty = async () => {
    // What an earlier attempt left there is a part of it at best. The new one tells that the run is under way.
    await deps.server.drop(own, signal);
    await deps.server.create(own, likeness, signal);
  };
  await makeEmpty();
  await using verified = await verifyArchive(deps.files, { backup, choice }, tools, saga.context);
  const { file, demands } = verified;
  await refuseUnmet(deps, { strategy, backup, demands }, signal);
  const settings = await deps.server.settingsOfLoad(database, backup.manifest?.settings, signal);
  const request = { database: loaded, file, format: backup.format, settings, choice };
  const expectedBytes = backup.manifest?.content.databaseBytes;
  const load = (isAlone: boolean) =>
    watched(deps, saga, expectedBytes, () => tools.load({ ...request, isAlone }, signal));
  // Without offsets each of several jobs would walk the archive from its beginning to every table.
  const isWalked = backup.manifest?.archive.offsets === false;
  await load(isWalked).catch(async (error: unknown) => {
    const { code, message } = asDormouseError(error);
    if (backup.format !== "custom" || code !== "restore_failed" || !mayBeChance(message)) throw error;
    await step("retrying", { alone: true, code, error: message });
    await makeEmpty();
    await load(true);
  });
  await step("loaded", { database: loaded, bytes: await deps.server.sizeBytes(loaded, signal) });
  const compared = await compareLoaded(deps, saga, tools, { backup, tables: verified.tables, settings });
  if (!EFFECTS[strategy].drops) await deps.server.copyProperties(likeness, loaded, signal);
  await saga.write({ phase: "loaded", compared });
}

/**
 * Jobs that load side by side come to tables and views in an order of their own, and a function that reads other tables
 * finds them empty or not there. Rights and room are the same in any order.
 */
function mayBeChance(message: string): boolean {
  return !/permission denied|must be (?:owner|superuser|member)|No space left|disk full|role ".*" does not exist|extension/i.test(
    message,
  );
}

/** Tells every two seconds how much is there, how fast it comes and how long it may take. */
async function watched(
  deps: RestoreDependencies,
  saga: JournaledRun,
  expectedBytes: number | undefined,
  load: () => Promise<void>,
): Promise<void> {
  const { signal, progress } = saga.context;
  const ended = new AbortController();
  const both = AbortSignal.any([signal, ended.signal]);
  const watching = watchSize(deps, { database: saga.journal().loaded, expectedBytes }, both, progress);
  try {
    await load();
  } finally {
    ended.abort();
    await watching;
  }
}

async function watchSize(
  { server, pause, now }: RestoreDependencies,
  { database, expectedBytes }: { readonly database: string; readonly expectedBytes: number | undefined },
  signal: AbortSignal,
  progress: RunContext["progress"],
): Promise<void> {
  const begunMs = now().getTime();
  try {
    for (;;) {
      await pause(LOOK_EVERY_MS, signal);
      const bytes = await server.sizeBytes(database, signal);
      progress({ loading: database, ...progressOf(bytes, expectedBytes, now().getTime() - begunMs) });
    }
  } catch {
    // Looking on is a courtesy: when it ends or fails, the load itself tells how it went.
  }
}
