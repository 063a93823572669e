import { takeBackup } from "../../shared/backup/take-backup.ts";
import type { BackupManifest } from "../../shared/catalog/manifest.ts";
import { compareCounts } from "../../shared/postgres/databases/compare-rows.ts";
import type { RestoreJournal } from "./journal/journal.ts";
import { giveRoleSettings, makeMissingRoles } from "./journal/roles-of-run.ts";
import { readResult, type RestoreResult } from "./journal/restore-result.ts";
import { refuseUnmet } from "./plan-restore.ts";
import { beginJournal, hasBegun, readJournal, type Restoring, writeJournal } from "./restoring.ts";
import { restart } from "./swap-databases.ts";
import { type Load, verifyArchive, type VerifiedArchive } from "./archive/verify-archive.ts";
import { ensureWakeUp, stoppedNow, stopWorkloads } from "./workloads/restart-workloads.ts";

/** For a role that may not create databases: stop, safety backup, replace all content in one transaction, start. */
export async function restoreInPlace(restoring: Restoring, load: Load): Promise<RestoreResult> {
  const { held, files, run, settings } = restoring;
  const { database } = settings;
  const { backup, choice } = load;
  await using verified = await verifyArchive(files, load, restoring);
  const { demands } = verified;
  const { rolesToMake } = await refuseUnmet(restoring, { strategy: "in-place", backup, choice, demands });
  if (!hasBegun(restoring))
    await beginJournal(restoring, {
      ...choice,
      strategy: "in-place",
      phase: "loaded",
      database,
      source: backup.name,
      loaded: database,
    });
  await makeMissingRoles(restoring, rolesToMake);
  await giveRoleSettings(restoring, backup.manifest?.roles);
  await held.claim(database, run.id);
  await ensureWakeUp(restoring);
  await stopWorkloads(restoring);
  const stopped = stoppedNow(restoring);
  const { name: safety } = await takeSafetyBackup(restoring);
  await replace(restoring, load, verified, { safety, ...stopped });
  return readResult(restoring, await restart(restoring));
}

/** By the lock that the restore holds already, and found again by the run's name when that is resumed. */
function takeSafetyBackup(restoring: Restoring): Promise<BackupManifest> {
  const request = {
    database: restoring.settings.database,
    label: `before ${restoring.run.id}`,
    pin: "safety backup of a restore in place",
    allowIncomplete: new Set<never>(),
    retryForMs: 0,
    waitsForLock: false,
    held: restoring.held,
  };
  return takeBackup({ ...restoring, request });
}

async function replace(
  restoring: Restoring,
  { backup, choice, tools }: Load,
  { file, tables }: VerifiedArchive,
  noted: Pick<RestoreJournal, "safety" | "downSince" | "stoppedAt">,
): Promise<void> {
  const { held, server, signal, step } = restoring;
  const { database, connectionLimit: lowered } = readJournal(restoring);
  const connectionLimit = lowered ?? (await held.connectionLimit(database));
  await writeJournal(restoring, {
    phase: "swapping",
    connectionLimit,
    ...noted,
  });
  const settings = await server.settingsOfLoad(database, backup.manifest, signal);
  const request = { database, file, format: backup.format, tables, settings, choice };
  await tools.replace(
    request,
    async ({ pid, transaction }) => {
      // It is committed only if the rows are these: a process that learns that it was, knows what was compared.
      await writeJournal(restoring, { transaction, compared: compareCounts(tables) });
      await held.isolate(database, pid);
    },
    signal,
  );
  await writeJournal(restoring, { phase: "starting" });
  await held.limitConnections(database, connectionLimit);
  await step("replaced", { backup: backup.name });
  await tools.statistics(request, signal);
  await server.analyze(database, signal);
}
