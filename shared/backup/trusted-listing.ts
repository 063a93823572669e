import type { CatalogListing, ForeignEntry } from "./catalog.ts";
import type { Backup } from "./backup.ts";
import type { JudgeSignature } from "./encryption.ts";

/**
 * Where keys are set, what none of them signed is no backup: it neither counts nor goes, and no sequence that it names
 * displaces another. Without a signature it may be anyone's; one that was changed after it was signed is damaged.
 */
export function trustedListing<Listing extends CatalogListing>(
  listing: Listing,
  judge: JudgeSignature | undefined,
): Listing {
  if (judge === undefined) return listing;
  const backups: Backup[] = [];
  const foreign: ForeignEntry[] = [];
  for (const backup of listing.backups) {
    const { verdict, why } = judge(backup.manifest);
    if (verdict === "trusted") backups.push(backup);
    else
      foreign.push({
        path: `${backup.name}.json`,
        reason: verdict === "changed" ? "signature_invalid" : "signature_missing",
        detail: why,
      });
  }
  return { ...listing, backups, foreign: [...listing.foreign, ...foreign] };
}
