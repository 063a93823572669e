import {
  mayBeOf,
  parseArchiveName,
  type ArchiveName,
  type ArchiveNameParts,
} from "../../../shared/catalog/archive-name.ts";
import { isPartial, newestFirst, type Backup } from "../../../shared/catalog/backup.ts";
import type { CatalogListing, LegacyFile } from "../../../shared/catalog/catalog.ts";
import type { ArchiveSource } from "../../../shared/catalog/archives/archive-file.ts";
import { nearestHint } from "../../../shared/catalog/offer-nearest.ts";
import { isOwn, originText, type Origin } from "../../../shared/catalog/origin.ts";
import { hiding } from "../../../shared/retention/oddities.ts";
import type { Suspicion } from "../../../shared/retention/suspicion.ts";
import { isUntrusted, untrusted } from "../../../shared/catalog/trusted-listing.ts";
import { DormouseError } from "../../../shared/errors.ts";

/** What a restore can start from: a backup, or a file of the old pod, which has no manifest. */
export type Restorable = ArchiveSource & {
  readonly startedAt: Date;
  /** Whose it is, where it is not one's own. */
  readonly elsewhere?: string | undefined;
  /** How the database was decided, if the name does not say it. */
  readonly decision?: LegacyFile["decision"];
  /** Why it may hold less than the operator hopes. */
  readonly suspicion?: Suspicion | undefined;
};

/** A whole name, the name without its folder, or `latest`. */
export type WantedBackup = { readonly latest: true } | { readonly name: ArchiveName };

const DATE =
  /^.+?(\d{4}-\d{2}-\d{2})(?:-\d{2}-\d{2}(?:-[1-9]\d*)?\.(?:bak|sql\.gz)|_\d{2}-\d{2}-\d{2}\.sql\.gz)$/s;

/**
 * Reads what a caller calls a file. Throws `request_invalid` for whatever is not exactly the name of a backup of
 * `database`: a path, an option, another database's backup. Nothing is opened.
 */
export function parseWanted(filename: string, database: string): WantedBackup {
  const wanted = readWanted(filename);
  if ("latest" in wanted) return wanted;
  if (mayBeOf(wanted, database)) return { name: wanted.name };
  throw new DormouseError("request_invalid", `${wanted.name} is a backup of another database`, {
    hint: `what is restored is ${JSON.stringify(database)}`,
  });
}

/** The same, of whichever database. */
export function readWanted(filename: string): { readonly latest: true } | ArchiveNameParts {
  if (filename === "latest") return { latest: true };
  const date = DATE.exec(filename)?.[1] ?? "";
  const parts = parseArchiveName(filename) ?? parseArchiveName(`${date}/${filename}`);
  if (parts !== undefined) return parts;
  throw new DormouseError("request_invalid", `${JSON.stringify(filename)} is not the name of a backup`, {
    hint: "give a name as GET / lists it, like 2026-11-22/hets2026-11-22-01-00.bak, or latest",
  });
}

type Whose = {
  /** One's own. */
  readonly origin: Origin;
  /** Whether the caller has said that the backup is another's. */
  readonly fromElsewhere: boolean;
};

/** Throws `backup_not_found` when the catalog has no such backup of `database`, neither ours nor the old pod's. */
export function findRestorable(
  listing: CatalogListing,
  database: string,
  wanted: WantedBackup,
  whose: Whose = { origin: {}, fromElsewhere: false },
): Restorable {
  const backups = listing.backups.filter((backup) => backup.database === database).toSorted(newestFirst);
  const legacy = listing.legacy.filter((file) => isOf(file, database, wanted));
  if ("latest" in wanted) {
    const latest = findLatest(backups, legacy, whose);
    refuseHidden(listing, database, latest);
    if (latest !== undefined) return latest;
    const where = whose.fromElsewhere ? " from elsewhere" : "";
    const signed = listing.foreign.some(isUntrusted) ? " that a trusted key signed" : "";
    throw notFound(`the catalog has no backup of ${JSON.stringify(database)}${where}${signed}`);
  }
  const backup = backups.find(({ name }) => name === wanted.name);
  if (backup !== undefined) return ofBackup(backup, whose.origin);
  const file = legacy.find(({ name }) => name === wanted.name);
  if (file !== undefined) return ofLegacy({ ...file, database });
  throw absent(listing, database, wanted.name);
}

/** What cannot be read may be the latest, unless the other place has it: only a name says then what is meant. */
function refuseHidden(
  { backups, foreign }: CatalogListing,
  database: string,
  latest: Restorable | undefined,
): void {
  const listed = new Set(backups.map(({ name }) => `${name}.json`));
  const [hidden] = hiding(foreign, database, latest?.startedAt).filter(({ path }) => !listed.has(path));
  if (hidden === undefined) return;
  const [which, hint] =
    latest === undefined
      ? ["one", "let this function read it"]
      : [`a later one than ${latest.name}`, "let this function read it, or name the backup that you mean"];
  throw new DormouseError(
    "catalog_unreadable",
    `the latest backup of ${JSON.stringify(database)} is not known: ${hidden.path} ${hidden.detail}, and may hold ${which}`,
    { hint },
  );
}

/** An operator who names a file has decided of which database it is, where that is in doubt. */
function isOf(file: LegacyFile, database: string, wanted: WantedBackup): boolean {
  if (file.database === database) return true;
  const isNamed = "name" in wanted && wanted.name === file.name;
  return isNamed && file.decision?.isDecided === false;
}

/** What lies there instead says why. */
function absent(listing: CatalogListing, database: string, name: ArchiveName): DormouseError {
  const odd = listing.foreign.find(({ path }) => path === name || path === `${name}.json`);
  if (odd !== undefined && isUntrusted(odd)) return untrusted(name, odd.detail);
  const why = odd === undefined ? "" : `: what lies there ${odd.detail}`;
  return notFound(`there is no backup ${name}${why}`, nearestHint(listing, database, name));
}

/**
 * The latest of one's own. With `fromElsewhere`, and where there is none of one's own, the latest of elsewhere: on the
 * day after a disaster the newest of one's own is the empty database that the night found.
 */
function findLatest(
  backups: readonly Backup[],
  legacy: readonly LegacyFile[],
  { origin, fromElsewhere }: Whose,
): Restorable | undefined {
  const wished = backups.filter((each) => !isSafetyBackup(each) && !isPartial(each));
  const own = wished.find((each) => isOwn(origin, each));
  const elsewhere = wished.filter((each) => !isOwn(origin, each));
  const file = legacy.find(({ damage }) => damage === undefined);
  if (!fromElsewhere && own !== undefined) return ofBackup(own, origin);
  if (!fromElsewhere && file !== undefined) return ofLegacy(file);
  const [latest] = elsewhere;
  if (latest === undefined) return undefined;
  refuseSeveral(elsewhere);
  return ofBackup(latest, origin);
}

/** The numbers of two installations have no common order. */
function refuseSeveral(elsewhere: readonly Backup[]): void {
  const newest = new Map(elsewhere.toReversed().map((backup) => [originText(backup), backup.name]));
  if (newest.size < 2) return;
  const named = [...newest].map(([origin, name]) => `${name} (${origin})`).join("; ");
  throw new DormouseError("request_invalid", `there is no one latest backup from elsewhere: ${named}`, {
    hint: "name the backup that you mean",
  });
}

/**
 * What a restore in place took just before it: the content that the operator wanted to be rid of. `latest` never means
 * that, least of all when the restore failed and is asked for again.
 */
function isSafetyBackup({ manifest }: Backup): boolean {
  return manifest.run.startsWith("restore-");
}

function ofBackup(backup: Backup, origin: Origin): Restorable {
  const { name, database, startedAt, sizeBytes, manifest } = backup;
  const found = { name, database, startedAt, sizeBytes, format: manifest.archive.format, manifest };
  return isOwn(origin, backup) ? found : { ...found, elsewhere: originText(backup) };
}

function ofLegacy({ name, database, minuteAt, sizeBytes, format, decision }: LegacyFile): Restorable {
  return { name, database, startedAt: minuteAt, sizeBytes, format, decision, manifest: undefined };
}

function notFound(message: string, hint = "GET / lists the catalog"): DormouseError {
  return new DormouseError("backup_not_found", message, { hint });
}
