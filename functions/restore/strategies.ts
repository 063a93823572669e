import type { ChangeMarks } from "../../shared/catalog/catalog.ts";
import { DormouseError } from "../../shared/errors.ts";
import { runDatabase } from "../../shared/postgres/databases/own-database.ts";
import type { TargetFacts } from "../../shared/postgres/properties/target-facts.ts";
import type { Found } from "./find-wanted.ts";
import type { RestoreJournal } from "./journal/journal.ts";
import { makeMissingRoles } from "./journal/roles-of-run.ts";
import { NOTHING_STOPPED, readResult, type RestoreResult } from "./journal/restore-result.ts";
import { givingWay } from "./rehearsal/give-way.ts";
import { loadBeside } from "./load-beside.ts";
import type { Load } from "./archive/verify-archive.ts";
import type { Restorable } from "./plan/restorable.ts";
import { EFFECTS } from "./plan/strategy.ts";
import { restoreInPlace } from "./restore-in-place.ts";
import { beginJournal, readJournal, type Restoring, writeJournal } from "./restoring.ts";
import { swapDatabases } from "./swap-databases.ts";

/** Carries out what was planned, as the table of strategies says. */
export async function carryOutRestore(
  restoring: Restoring,
  found: Found,
  { exists, serverMajor, rolesToMake }: Pick<TargetFacts, "exists" | "serverMajor" | "rolesToMake">,
): Promise<RestoreResult> {
  const { strategy, backup, choice, undone, target } = found;
  const { run, server, settings } = restoring;
  const { database } = settings;
  const { loads, swaps, drops } = EFFECTS[strategy];
  const kept = swaps && exists ? { kept: runDatabase(database, "before", run.id) } : {};
  if (undone !== undefined) {
    // The same swap with the database that was kept; what is live now is kept in its turn.
    const { run: source, kept: loaded } = undone;
    await beginJournal(restoring, { strategy, phase: "loaded", database, source, loaded, ...kept });
    return readResult(restoring, await swapDatabases(restoring));
  }
  if (backup === undefined) throw new DormouseError("internal", "a restore without a backup");
  const load: Load = { backup, choice, tools: await server.tools(serverMajor) };
  if (loads === undefined) return restoreInPlace(restoring, load);
  // Under a name of the run's until it is whole: what a crash leaves is then known to be ours.
  const loaded = runDatabase(database, loads, run.id);
  // Those of an earlier attempt are its own, too.
  const made = restoring.entries.last?.roles;
  const roles = made === undefined ? {} : { roles: made };
  const begun: RestoreJournal = { strategy, phase: "loading", database, source: backup.name, loaded, target };
  await beginJournal(restoring, { ...choice, ...begun, ...kept, ...roles });
  // The owner of the database may be among them.
  await makeMissingRoles(restoring, rolesToMake);
  if (drops) await givingWay(restoring, (own) => loadBeside(own, load));
  else await loadBeside(restoring, load);
  return endLoad(restoring, load, target);
}

/** What has been loaded beside becomes live, is dropped, or gets the name that was asked for. */
async function endLoad(restoring: Restoring, load: Load, target: string): Promise<RestoreResult> {
  const { drops, swaps } = EFFECTS[readJournal(restoring).strategy];
  if (swaps) return readResult(restoring, await swapDatabases(restoring));
  return drops ? endRehearsal(restoring, load) : nameLoaded(restoring, target);
}

async function endRehearsal(restoring: Restoring, { backup, choice }: Load): Promise<RestoreResult> {
  const { run, server, settings, signal, step } = restoring;
  // What was left out is not proved.
  if (choice.leaveOut === undefined) await noteProof(restoring, backup);
  await writeJournal(restoring, { phase: "ended" });
  await server.drop({ live: settings.database, role: "scratch", run: run.id }, signal);
  await step("rehearsed", { backup: backup.name });
  return readResult(restoring, NOTHING_STOPPED);
}

async function noteProof(restoring: Restoring, { name, manifest }: Restorable): Promise<void> {
  if (manifest === undefined) return;
  const { sha256 } = manifest.archive;
  const level = readJournal(restoring).compared?.by === "values" ? "compared" : "counted";
  const verification = { level, at: new Date().toISOString() } as const;
  // Another backup may have come to have its name.
  const change: ChangeMarks = (found) =>
    found.archive.sha256 === sha256 ? { ...found, verification } : found;
  await restoring.merged.mark(name, change, restoring.signal);
}

async function nameLoaded(restoring: Restoring, target: string): Promise<RestoreResult> {
  const { server, signal, step } = restoring;
  await server.rename(readJournal(restoring).loaded, target, signal);
  await writeJournal(restoring, { phase: "ended" });
  await step("named", { database: target });
  return readResult(restoring, NOTHING_STOPPED);
}
