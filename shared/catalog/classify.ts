import { parseArchiveName, type ArchiveName, type ArchiveNameParts } from "./archive-name.ts";
import { toBackup, newestFirst, type Backup } from "./backup.ts";
import type { CatalogListing, ForeignEntry, LegacyFile } from "./catalog.ts";
import { parseManifest, type BackupManifest } from "./manifest.ts";

export const MAX_MANIFEST_BYTES = 32 << 20;

export type Classified = { readonly backup: Backup } | { readonly foreign: ForeignEntry };

/** What a name says: a `whole` backup has both its names, a `bare` archive lacks its manifest. */
type Named =
  | { readonly whole: ArchiveNameParts }
  | { readonly bare: ArchiveNameParts }
  | { readonly foreign: ForeignEntry };

/** `undefined` for a manifest whose archive is there: that archive stands for both. */
export function classifyName(path: string, isThere: (path: string) => boolean): Named | undefined {
  const parts = parseArchiveName(path.replace(/\.json$/, ""));
  if (parts === undefined) return { foreign: foreignName(path) };
  if (path === parts.name) return isThere(`${path}.json`) ? { whole: parts } : { bare: parts };
  if (isThere(parts.name)) return undefined;
  return { foreign: { path, reason: "manifest_without_archive", detail: "its archive is gone" } };
}

export function foreignName(path: string): ForeignEntry {
  return path.slice(path.lastIndexOf("/") + 1).startsWith(".tmp-")
    ? { path, reason: "temporary", detail: "is being written, or was left" }
    : { path, reason: "unknown_file", detail: "is not named as a backup" };
}

type Table = BackupManifest["content"]["tables"][number];

/** What hardly changes from one backup to the next. */
const ALIKE = ["lacks", "origin", "properties", "roles", "settings", "versions"] as const;
/** Of a table that is written as every version has written it. */
const PLAIN_FIELDS = new Set(["schema", "name", "rows", "hash"]);

/** Keeps once what the manifests of a listing have alike: thousands of them would need several times the memory. */
export function keepingOnce(): (found: Classified | { readonly legacy: unknown }) => void {
  const kept = new Map<string, unknown>();
  const tablesOf = new Map<string, Map<string, Table>>();
  function once<Value>(key: string, value: Value): Value {
    if (!kept.has(key)) kept.set(key, value);
    return kept.get(key) as Value;
  }
  /** As in the backup before it, most are. */
  function tableOnce(table: Table): Table {
    for (const field in table) if (!PLAIN_FIELDS.has(field)) return table;
    const { schema, name, rows, hash } = table;
    const last = tablesOf.get(schema)?.get(name);
    if (last?.rows === rows && last.hash === hash) return last;
    tablesOf.set(schema, (tablesOf.get(schema) ?? new Map<string, Table>()).set(name, table));
    return table;
  }
  return (found) => {
    if (!("backup" in found)) return;
    const { manifest } = found.backup;
    for (const field of ALIKE) {
      const value = manifest[field];
      if (value !== undefined) Object.assign(manifest, { [field]: once(JSON.stringify(value), value) });
    }
    const { tables } = manifest.content;
    for (const [index, table] of tables.entries()) tables[index] = tableOnce(table);
  };
}

/** The backup behind a name of which both are there; a manifest that cannot be believed makes it foreign. */
export function classifyBackup(
  name: ArchiveName,
  archiveBytes: number | undefined,
  manifest: Buffer,
): Classified {
  if (manifest.length > MAX_MANIFEST_BYTES) return tooLarge(name);
  try {
    const backup = toBackup(parseManifest(name, manifest.toString("utf8")));
    if (backup.sizeBytes === archiveBytes) return { backup };
    const detail = `has ${archiveBytes} bytes, its manifest says ${backup.sizeBytes}`;
    return { foreign: { path: name, reason: "archive_size_differs", detail } };
  } catch (error) {
    return unreadableManifest(name, (error as Error).message);
  }
}

export function tooLarge(name: ArchiveName): Classified {
  return unreadableManifest(name, "is too large for a manifest");
}

function unreadableManifest(name: ArchiveName, detail: string): Classified {
  return { foreign: { path: `${name}.json`, reason: "manifest_unreadable", detail } };
}

export function listingOf(found: readonly (Classified | { readonly legacy: LegacyFile })[]): CatalogListing {
  const text = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  return {
    backups: found.flatMap((entry) => ("backup" in entry ? [entry.backup] : [])).toSorted(newestFirst),
    legacy: found
      .flatMap((entry) => ("legacy" in entry ? [entry.legacy] : []))
      .toSorted((a, b) => b.minuteAt.getTime() - a.minuteAt.getTime() || text(a.name, b.name)),
    foreign: found
      .flatMap((entry) => ("foreign" in entry ? [entry.foreign] : []))
      .toSorted((a, b) => text(a.path, b.path)),
  };
}
