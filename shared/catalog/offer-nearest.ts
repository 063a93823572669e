import { newestFirst, type Backup } from "./backup.ts";
import type { Catalog, CatalogListing } from "./catalog.ts";
import { asDormouseError, DormouseError } from "../errors.ts";
import { nearestNames } from "../nearest.ts";

/** A caller waits for no more than this to learn which name was meant. */
const LOOK_MS = 5_000;

/** The refusal of a name, with those that may have been meant, unless the volume does not list them soon. */
export async function offeringNearest(
  error: unknown,
  volume: Pick<Catalog, "list">,
  nearestIn: (listing: CatalogListing) => string | undefined,
): Promise<DormouseError> {
  const { code, message, hint } = asDormouseError(error);
  const listing = await volume.list(AbortSignal.timeout(LOOK_MS)).catch(() => undefined);
  const nearest = listing === undefined ? undefined : nearestIn(listing);
  return new DormouseError(code, message, { hint: nearest ?? hint, cause: error });
}

/** What may have been meant, among the backups and the old pod's files of `database`. */
export function nearestHint(
  { backups, legacy }: Pick<CatalogListing, "backups" | "legacy">,
  database: string,
  wanted: string,
): string | undefined {
  const known = [...backups.toSorted(newestFirst), ...legacy];
  return findNearest(
    known.filter((each) => each.database === database),
    wanted,
  );
}

/** The same among backups of any database. */
export function nearestBackup(backups: readonly Backup[], wanted: string): string | undefined {
  return findNearest(backups.toSorted(newestFirst), wanted);
}

function findNearest(known: readonly { readonly name: string }[], wanted: string): string | undefined {
  const nearest = nearestNames(
    wanted,
    known.map(({ name }) => name),
  );
  return nearest.length === 0 ? undefined : `the nearest names are ${nearest.join(", ")}; GET / lists all`;
}
