import { mayBeOf, type ArchiveName } from "../../../shared/catalog/archive-name.ts";
import type { CatalogListing } from "../../../shared/catalog/catalog.ts";
import { odditiesIn } from "../../../shared/retention/oddities.ts";
import { isOwn, originText, type Origin } from "../../../shared/catalog/origin.ts";
import { suspicionsIn, type Suspicion } from "../../../shared/retention/suspicion.ts";

/**
 * The suspect backups of one database, as an operator about to restore one should see them. Each is compared with those
 * of its own origin: the numbers of two installations have no common order.
 */
export function suspectsIn(
  { backups, foreign }: CatalogListing,
  { database, origin, dropPercent }: { database: string; origin: Origin; dropPercent: number },
): ReadonlyMap<ArchiveName, Suspicion> {
  const odd = odditiesIn(foreign, "volume", []).filter((entry) => mayBeOf(entry, database));
  const ofDatabase = backups.filter((backup) => backup.database === database);
  const byOrigin = Map.groupBy(ofDatabase, (each) => (isOwn(origin, each) ? "" : originText(each)));
  return new Map([...byOrigin.values()].flatMap((each) => [...suspicionsIn(each, dropPercent, odd)]));
}
