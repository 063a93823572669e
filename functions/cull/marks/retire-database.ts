import {
  retirementOf,
  type RetiredDatabases,
  type Retirement,
} from "../../../shared/backup/retired-databases.ts";
import { newestFirst } from "../../../shared/catalog/backup.ts";
import type { Catalog } from "../../../shared/catalog/catalog.ts";
import { DormouseError } from "../../../shared/errors.ts";
import type { RunContext } from "../../../shared/run/run.ts";

type Dependencies = {
  /** Of both places, where there is a bucket. */
  readonly catalog: Pick<Catalog, "list">;
  readonly retired: RetiredDatabases;
};
type Request = { readonly database: string; readonly reason: string };

/** Says that a database is gone for good, until a backup of it begins later. Done twice it is done once. */
export async function retireDatabase(
  { catalog, retired }: Dependencies,
  { database, reason }: Request,
  { run, step, signal }: RunContext,
): Promise<Retirement> {
  const { backups } = await catalog.list(signal);
  const [newest] = backups.filter((backup) => backup.database === database).toSorted(newestFirst);
  if (newest === undefined)
    throw new DormouseError("backup_not_found", `there is no backup of ${JSON.stringify(database)}`, {
      hint: "only a database that has backups can be missed; GET / of the backup function lists them",
    });
  const known = retirementOf(database, newest.startedAt, await retired.known());
  const retirement = known ?? { database, at: new Date(), by: run.caller ?? run.trigger.source, reason };
  if (known === undefined) await retired.retire(retirement);
  await step("retired", { database, by: retirement.by, reason: retirement.reason });
  return retirement;
}
