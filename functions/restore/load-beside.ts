import { setTimeout as pause } from "node:timers/promises";
import { compareLoaded } from "./rehearsal/compare-loaded.ts";
import { progressOf } from "../../shared/run/progress.ts";
import { asDormouseError, DormouseError } from "../../shared/errors.ts";
import { isOfServer } from "../../shared/postgres/load-tool.ts";
import { quietOf } from "../../shared/postgres/properties/session-settings.ts";
import type { LoadSize } from "../../shared/postgres/load/load-jobs.ts";
import type { Restorable } from "./plan/restorable.ts";
import { ownDatabase } from "./journal/journal.ts";
import { giveRoleSettings, makeMissingRoles } from "./journal/roles-of-run.ts";
import { refuseUnmet } from "./plan-restore.ts";
import { EFFECTS } from "./plan/strategy.ts";
import { readJournal, type Restoring, writeJournal } from "./restoring.ts";
import { type Load, verifyArchive } from "./archive/verify-archive.ts";

const LOOK_EVERY_MS = 2_000;
/** How its sessions are called, for who looks at what a server is busy with. */
const REHEARSING = { application_name: "dormouse rehearsal" };

/**
 * Verifies the archive and loads it into the database that the journal names, which is new; then ANALYZE, and what
 * was loaded against the backup. The live database and its application notice nothing.
 */
export async function loadBeside(restoring: Restoring, toLoad: Load): Promise<void> {
  const { run, signal, step, server, files } = restoring;
  const { backup, choice, tools } = toLoad;
  const { database, loaded, strategy } = readJournal(restoring);
  const own = ownDatabase({ strategy, database }, run.id);
  if (own === undefined) throw new DormouseError("internal", `${strategy} loads no database of its own`);
  const likeness = { like: database, otherwise: backup.manifest?.properties };
  const makeEmpty = async () => {
    // What an earlier attempt left there is a part of it at best. The new one shows that the run is under way.
    await server.drop(own, signal);
    await server.create(own, likeness, signal);
  };
  await makeEmpty();
  await using verified = await verifyArchive(files, toLoad, restoring);
  const { file, demands, loadedBytes } = verified;
  const { rolesToMake } = await refuseUnmet(restoring, { strategy, backup, choice, demands });
  await makeMissingRoles(restoring, rolesToMake);
  await giveRoleSettings(restoring, backup.manifest?.roles);
  const noted = await server.settingsOfLoad(database, backup.manifest, signal);
  const isRehearsal = EFFECTS[strategy].drops;
  const settings = isRehearsal ? { ...noted, ...REHEARSING } : noted;
  const request = { database: loaded, file, format: backup.format, loadedBytes, settings, choice };
  const expectedBytes = backup.manifest?.content.databaseBytes;
  const load = (given: number) =>
    watched(restoring, expectedBytes, () => tools.load({ ...request, jobs: given }, signal));
  let { jobs, why } = isRehearsal ? gently(restoring) : await server.chooseJobs(sizeOf(backup), signal);
  await load(jobs).catch(async (error: unknown) => {
    const { code, message } = asDormouseError(error);
    // Jobs that load side by side come to tables and views in an order of their own, and a function that reads other
    // tables finds them empty or not there.
    if (backup.format !== "custom" || code !== "restore_failed" || isOfServer(message)) throw error;
    await step("retrying", { alone: true, code, error: message });
    await makeEmpty();
    ({ jobs, why } = { jobs: 1, why: "several at once failed" });
    await load(jobs);
  });
  await step("loaded", { database: loaded, bytes: await server.sizeBytes(loaded, signal), jobs, why });
  const compared = await compareLoaded(restoring, toLoad, { tables: verified.tables, settings });
  if (!isRehearsal) await server.copyProperties(likeness, loaded, quietOf(settings), signal);
  await writeJournal(restoring, { phase: "loaded", compared });
}

/** A rehearsal takes its time. */
function gently({ settings }: Restoring): { jobs: number; why: string } {
  return { jobs: settings.rehearsalJobs, why: "REHEARSAL_JOBS says so" };
}

function sizeOf({ format, manifest }: Restorable): LoadSize {
  // psql has one.
  if (format !== "custom") return { tables: 1 };
  if (manifest === undefined) return {};
  const { archive, content } = manifest;
  return { tables: content.tables.length, plainBytes: archive.plainBytes, offsets: archive.offsets };
}

/** Reports every two seconds how much is loaded, at which rate, and the time that is left. */
async function watched(
  restoring: Restoring,
  expectedBytes: number | undefined,
  load: () => Promise<void>,
): Promise<void> {
  const ended = new AbortController();
  const signal = AbortSignal.any([restoring.signal, ended.signal]);
  const watching = watchSize({ ...restoring, signal }, expectedBytes);
  try {
    await load();
  } finally {
    ended.abort();
    await watching;
  }
}

async function watchSize(restoring: Restoring, expectedBytes: number | undefined): Promise<void> {
  const { server, progress, signal } = restoring;
  const { loaded } = readJournal(restoring);
  const begunMs = performance.now();
  try {
    for (;;) {
      await pause(LOOK_EVERY_MS, undefined, { signal });
      const bytes = await server.sizeBytes(loaded, signal);
      progress({ loading: loaded, ...progressOf(bytes, expectedBytes, performance.now() - begunMs) });
    }
  } catch {
    // Progress is optional: if its session ends or fails, the load itself shows how it went.
  }
}
