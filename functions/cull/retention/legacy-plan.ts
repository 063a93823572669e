import { isAdopted } from "../../../shared/catalog/backup.ts";
import type { CatalogListing } from "../../../shared/catalog/catalog.ts";
import { toRemoval, type LegacyPlan } from "../cull-report.ts";
import { asAdopted } from "../../../shared/catalog/legacy/legacy-adoption.ts";
import type { CullContext, RetentionPolicy } from "../../../shared/retention/retention-policy.ts";
import { planCatalog } from "./retention.ts";

/** What would become of adopted files, and of those still to be adopted, if they counted and went like ours. */
export function planLegacy(
  { backups, legacy }: Pick<CatalogListing, "backups" | "legacy">,
  policy: RetentionPolicy,
  context: Omit<CullContext, "database">,
): LegacyPlan | undefined {
  const adopted = legacy.filter(({ damage }) => damage === undefined).map((file) => asAdopted(file, backups));
  const all = [...backups, ...adopted];
  const total = all.filter(isAdopted).length;
  if (total === 0) return undefined;
  const remove = planCatalog(all, { ...policy, legacy: true }, context)
    .flatMap((plan) => plan.remove)
    .filter(({ backup }) => isAdopted(backup))
    .map(toRemoval);
  return { remove, kept: total - remove.length };
}
