import { compareCounts } from "../../shared/postgres/databases/compare-rows.ts";
import type { LoadChoice } from "../../shared/postgres/databases/load-choice.ts";
import type { HeldDatabase } from "../../shared/postgres/databases/held-database.ts";
import type { Restorable } from "./plan/restorable.ts";
import type { RestoreResult } from "./journal/restore-result.ts";
import type { RestoreTools } from "../../shared/postgres/databases/restore-port.ts";
import { ensureWakeUp, restart } from "./swap-databases.ts";
import type { RestoreDependencies } from "./restore-dependencies.ts";
import { downSince, stopWorkloads } from "./workloads/restart-workloads.ts";
import { refuseUnmet } from "./plan-restore.ts";
import type { JournaledRun } from "./journal/journaled-run.ts";
import { readResult } from "./journal/restore-result-of.ts";
import { verifyArchive, type VerifiedArchive } from "./verify-archive.ts";

type Given = {
  readonly backup: Restorable;
  readonly tools: RestoreTools;
  readonly choice: LoadChoice;
};

/** For a role that may not create databases: stop, safety backup, replace all content in one transaction, start. */
export async function restoreInPlace(
  deps: RestoreDependencies,
  saga: JournaledRun,
  held: HeldDatabase,
  given: Given,
): Promise<RestoreResult> {
  const { database } = deps.settings;
  const { backup, tools, choice } = given;
  await using verified = await verifyArchive(deps.files, given, tools, saga.context);
  await refuseUnmet(deps, { strategy: "in-place", backup, demands: verified.demands }, saga.context.signal);
  if (!saga.hasBegun())
    await saga.begin({
      ...choice,
      strategy: "in-place",
      phase: "loaded",
      database,
      source: backup.name,
      loaded: database,
    });
  await held.claim(database, saga.context.run.id);
  await ensureWakeUp(deps, saga);
  await stopWorkloads(deps, saga);
  const { name: safety } = await deps.safetyBackup(held, saga.context);
  await replace(deps, saga, held, { given, verified, safety });
  return readResult(saga, await restart(deps, saga, held));
}

type Replacement = { readonly given: Given; readonly verified: VerifiedArchive; readonly safety: string };

async function replace(
  deps: RestoreDependencies,
  saga: JournaledRun,
  held: HeldDatabase,
  { given, verified, safety }: Replacement,
): Promise<void> {
  const { signal, step } = saga.context;
  const { database } = saga.journal();
  const { backup, tools, choice } = given;
  const { file, tables } = verified;
  const connectionLimit = saga.journal().connectionLimit ?? (await held.connectionLimit(database));
  await saga.write({ phase: "swapping", connectionLimit, safety, downSince: downSince(deps, saga) });
  const settings = await deps.server.settingsOfLoad(database, backup.manifest?.settings, signal);
  const request = { database, file, format: backup.format, tables, settings, choice };
  await tools.replace(
    request,
    async ({ pid, transaction }) => {
      // It is committed only if the rows are these: a process that learns that it was, knows what was compared.
      await saga.write({ transaction, compared: compareCounts(tables) });
      await held.isolate(database, pid);
    },
    signal,
  );
  await saga.write({ phase: "starting" });
  await held.limitConnections(database, connectionLimit);
  await step("replaced", { backup: backup.name });
  await deps.server.analyze(database, signal);
}
