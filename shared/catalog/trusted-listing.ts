import type { CatalogListing, ForeignEntry } from "./catalog.ts";
import { DormouseError } from "../errors.ts";
import { mayBeOf, parseArchiveName, type ArchiveName } from "./archive-name.ts";
import type { Backup } from "./backup.ts";
import type { JudgeSignature } from "./encryption.ts";

/**
 * Where keys are set, what none of them signed is no backup: it neither counts nor goes, and no sequence that it names
 * displaces another. Without a signature it may be anyone's; one that was changed after it was signed is damaged.
 */
function trustedListing<Listing extends CatalogListing>(
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

type Listing = { list(signal: AbortSignal, answerWithinMs?: number): Promise<CatalogListing> };

/** A place that lists what is trusted alone: before anything is read from a manifest, whose it is and its number too. */
export function trusting<Place extends Listing>(place: Place, judge: JudgeSignature | undefined): Place {
  const list: Listing["list"] = async (...asked) => trustedListing(await place.list(...asked), judge);
  return { ...place, list };
}

export function isUntrusted({ reason }: ForeignEntry): boolean {
  return reason === "signature_missing" || reason === "signature_invalid";
}

/** Whether what is not believed bears names of `database`: there may have been more backups than count. */
export function hasUntrusted(foreign: readonly ForeignEntry[], database: string): boolean {
  return foreign.some((entry) => {
    const parts = isUntrusted(entry) ? parseArchiveName(entry.path.replace(/\.json$/, "")) : undefined;
    return parts !== undefined && mayBeOf(parts, database);
  });
}

export function untrusted(name: ArchiveName, why: string): DormouseError {
  return new DormouseError("signature_invalid", `the manifest of ${name} cannot be trusted: ${why}`, {
    hint: "find out what wrote it; a backup from before there was a key is restored without MANIFEST_PUBLIC_KEY",
  });
}
