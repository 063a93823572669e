import type { PlannedRole } from "../../../shared/postgres/roles/planned-roles.ts";
import type { ServerRole } from "../../../shared/postgres/roles/server-role.ts";
import { asDormouseError } from "../../../shared/errors.ts";
import { EFFECTS } from "../plan/strategy.ts";
import { readJournal, type Restoring, writeJournal } from "../restoring.ts";

/** Makes the roles that the server lacks, where the caller said so. The journal names them first: a killed run is to look for them. */
export async function makeMissingRoles(restoring: Restoring, roles: readonly PlannedRole[]): Promise<void> {
  const { server, run, signal, step } = restoring;
  const { createRoles, roles: before = [] } = readJournal(restoring);
  if (createRoles !== true || roles.length === 0) return;
  const names = roles.map(({ name }) => name);
  await writeJournal(restoring, { roles: [...new Set([...before, ...names])] });
  await server.makeRoles(roles, run.id, signal);
  await step("roles_created", { roles: names });
}

/** From inside of the database to load, in whose encoding the server is to keep them. */
export async function giveRoleSettings(
  restoring: Restoring,
  noted: readonly ServerRole[] = [],
): Promise<void> {
  const { server, run, signal } = restoring;
  const { roles, loaded } = readJournal(restoring);
  if (roles !== undefined) await server.giveRoleSettings(loaded, noted, run.id, signal);
}

/** The restore has succeeded: what it made stays, unless all else that it made went. */
export async function endRoles(restoring: Restoring): Promise<void> {
  if (EFFECTS[readJournal(restoring).strategy].drops) await dropMadeRoles(restoring);
  else await keepMadeRoles(restoring);
}

/** What the server does not call this run's stays, and so does what came to be used meanwhile: that is reported. */
export async function dropMadeRoles(restoring: Restoring): Promise<void> {
  const { server, run, signal, log, step } = restoring;
  if (readJournal(restoring).roles === undefined) return;
  const { dropped, stayed } = await server.dropMadeRoles(run.id, signal);
  for (const { name, why } of stayed) log.warn("role not dropped", { run: run.id, role: name, error: why });
  if (dropped.length > 0) await step("roles_dropped", { roles: dropped });
}

/** A mark that stays is a comment, and harms nothing. */
async function keepMadeRoles({ server, run, signal, log, ...restoring }: Restoring): Promise<void> {
  if (restoring.entries.last?.roles === undefined) return;
  await server.keepMadeRoles(run.id, signal).catch((error: unknown) => {
    signal.throwIfAborted();
    log.warn("mark of roles not removed", { run: run.id, error: asDormouseError(error).message });
  });
}
