import { EFFECTS } from "./plan/strategy.ts";
import type { ChangeMarks } from "../../shared/catalog/catalog.ts";
import type { HeldDatabase } from "../../shared/postgres/databases/held-database.ts";
import type { LoadChoice } from "../../shared/postgres/databases/load-choice.ts";
import type { Restorable } from "./plan/restorable.ts";
import type { RestoreResult } from "./journal/restore-result.ts";
import type { RestoreTools } from "../../shared/postgres/databases/restore-port.ts";
import { DormouseError } from "../../shared/errors.ts";
import { swapDatabases, type Swapped } from "./swap-databases.ts";
import { loadBeside } from "./load-beside.ts";
import type { Found } from "./plan-restore.ts";
import type { RestoreDependencies } from "./restore-dependencies.ts";
import { restoreInPlace } from "./restore-in-place.ts";
import { readResult } from "./journal/restore-result-of.ts";
import type { JournaledRun } from "./journal/journaled-run.ts";
import { runDatabase } from "../../shared/postgres/databases/own-database.ts";

const NOTHING_STOPPED: Swapped = { downtimeMs: undefined, workloads: [] };

export type Carried = {
  readonly found: Found;
  readonly serverMajor: number;
  /** Whether there is a live database that a swap must keep. */
  readonly liveExists: boolean;
};

/** Carries out what was planned, each strategy by its own steps. */
export async function carryOutRestore(
  deps: RestoreDependencies,
  saga: JournaledRun,
  held: HeldDatabase,
  carried: Carried,
): Promise<RestoreResult> {
  const { found, serverMajor } = carried;
  if (found.undone !== undefined)
    return undo(deps, saga, held, { ...found.undone, liveExists: carried.liveExists });
  const tools = await deps.server.tools(serverMajor, saga.context.signal);
  const backup = toRestorable(found);
  const { choice } = found;
  const { replaces, drops, swaps } = EFFECTS[found.strategy];
  if (replaces) return restoreInPlace(deps, saga, held, { backup, tools, choice });
  if (drops) return rehearse(deps, saga, { backup, choice }, tools);
  if (swaps) return swap(deps, saga, held, { backup, choice, tools, liveExists: carried.liveExists });
  return beside(deps, saga, { backup, choice, target: found.target }, tools);
}

function toRestorable({ backup }: Found): Restorable {
  if (backup === undefined) throw new DormouseError("internal", "a restore without a backup");
  return backup;
}

type Load = { readonly backup: Restorable; readonly choice: LoadChoice };
type Swap = Load & { readonly tools: RestoreTools; readonly liveExists: boolean };

async function swap(
  deps: RestoreDependencies,
  saga: JournaledRun,
  held: HeldDatabase,
  { backup, choice, tools, liveExists }: Swap,
): Promise<RestoreResult> {
  const { run } = saga.context;
  const { database } = deps.settings;
  await saga.begin({
    ...choice,
    strategy: "swap",
    phase: "loading",
    database,
    source: backup.name,
    loaded: runDatabase(database, "restore", run.id),
    ...(liveExists ? { kept: runDatabase(database, "before", run.id) } : {}),
  });
  await loadBeside(deps, saga, backup, tools);
  return readResult(saga, await swapDatabases(deps, saga, held));
}

type Undo = NonNullable<Found["undone"]> & { readonly liveExists: boolean };

/** The same swap with the database that was kept; what is live now is kept in its turn. */
async function undo(
  deps: RestoreDependencies,
  saga: JournaledRun,
  held: HeldDatabase,
  { run: undone, kept, liveExists }: Undo,
): Promise<RestoreResult> {
  const { database } = deps.settings;
  await saga.begin({
    strategy: "undo",
    phase: "loaded",
    database,
    source: undone,
    loaded: kept,
    ...(liveExists ? { kept: runDatabase(database, "before", saga.context.run.id) } : {}),
  });
  return readResult(saga, await swapDatabases(deps, saga, held));
}

async function rehearse(
  deps: RestoreDependencies,
  saga: JournaledRun,
  { backup, choice }: Load,
  tools: RestoreTools,
): Promise<RestoreResult> {
  const { run, signal, step } = saga.context;
  const { database } = deps.settings;
  const own = { live: database, role: "scratch", run: run.id } as const;
  const loaded = runDatabase(database, own.role, run.id);
  await saga.begin({
    ...choice,
    strategy: "rehearse",
    phase: "loading",
    database,
    source: backup.name,
    loaded,
  });
  await loadBeside(deps, saga, backup, tools);
  // What was left out is not proved.
  if (backup.manifest !== undefined && choice.leaveOut === undefined) {
    const { sha256 } = backup.manifest.archive;
    const level = saga.journal().compared?.by === "values" ? "compared" : "counted";
    const verification = { level, at: deps.now().toISOString() } as const;
    // Another backup may have come to have its name.
    const change: ChangeMarks = (manifest) =>
      manifest.archive.sha256 === sha256 ? { ...manifest, verification } : manifest;
    await deps.catalog.mark(backup.name, change, signal);
  }
  await saga.write({ phase: "ended" });
  await deps.server.drop(own, signal);
  await step("rehearsed", { backup: backup.name });
  return readResult(saga, NOTHING_STOPPED);
}

async function beside(
  deps: RestoreDependencies,
  saga: JournaledRun,
  { backup, choice, target }: Load & { readonly target: string },
  tools: RestoreTools,
): Promise<RestoreResult> {
  const { run, signal, step } = saga.context;
  const { database } = deps.settings;
  // Under a name of the run's until it is whole: what a crash leaves is then known to be ours.
  const loaded = runDatabase(database, "restore", run.id);
  await saga.begin({
    ...choice,
    strategy: "beside",
    phase: "loading",
    database,
    source: backup.name,
    loaded,
    target,
  });
  await loadBeside(deps, saga, backup, tools);
  await deps.server.rename(loaded, target, signal);
  await saga.write({ phase: "ended" });
  await step("named", { database: target });
  return readResult(saga, NOTHING_STOPPED);
}
