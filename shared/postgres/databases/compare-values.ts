import { SERVER_LOG } from "../session/server-errors.ts";
import { DormouseError } from "../../errors.ts";
import type { OmissionKind } from "../lacks.ts";
import { addHashes, HASHING, NO_ROWS, type RowsHash } from "../plain-dump/copy-rows.ts";
import type { ArchiveContents } from "../read-archive.ts";
import { ROWS_DIFFER, type Comparison, type TableCount } from "./compare-rows.ts";

/** The content of a manifest, of which older versions and adopted files have no hashes. */
export type NotedValues = {
  readonly hashing?: string | undefined;
  readonly tables: readonly NotedTable[];
  readonly largeObjectsHash?: string | undefined;
  readonly sequences?: { readonly hash: string } | undefined;
};

type NotedTable = {
  readonly schema: string;
  readonly name: string;
  readonly hash?: string | undefined;
  readonly columns?: readonly string[] | undefined;
};

type LoadedValues = Pick<ArchiveContents, "tables" | "largeObjectsHash" | "sequences">;

type Circumstances = {
  /** The tables whose rows were counted and found equal, as the loaded database has them. */
  readonly counts: readonly TableCount[];
  /** Another release may write the same value otherwise. */
  readonly isSameRelease: boolean;
  /** Something of the backup was left out. */
  readonly isPartial: boolean;
  /** What the role that compares may not read. */
  readonly unread: readonly OmissionKind[];
};

const NAMED = 5;

/** Whether a backup has hashes that can be compared here. */
export function hasValues(noted: NotedValues | undefined): noted is NotedValues {
  return noted?.hashing === HASHING;
}

/**
 * What is known of the values of a loaded database whose rows have been counted. Throws `values_differ`, naming tables,
 * where something came back other than it was written.
 */
export function compareValues(
  counted: Comparison,
  noted: NotedValues,
  found: LoadedValues,
  circumstances: Circumstances,
): Comparison {
  const { counts, isSameRelease, isPartial, unread } = circumstances;
  const [wanted, loaded] = [hashesOf(noted.tables), hashesOf(found.tables)];
  const open = counts
    // A table whose rows were left out of the dump is expected to have none.
    .filter((table) => (wanted.get(nameOf(table)) ?? NO_ROWS) !== (loaded.get(nameOf(table)) ?? NO_ROWS))
    .map((table) => ({
      what: nameOf(table),
      mayDiffer: table.isConfiguration || !loaded.has(nameOf(table)),
    }));
  const others = [
    {
      what: "sequences",
      isEqual: noted.sequences?.hash === found.sequences.hash,
      mayDiffer: isPartial || unread.includes("unreadable-tables"),
    },
    {
      what: "large objects",
      isEqual: noted.largeObjectsHash === found.largeObjectsHash,
      mayDiffer: isPartial || unread.includes("large-objects"),
    },
  ].filter(({ isEqual }) => !isEqual);
  const all = [...open, ...others];
  const differing = isSameRelease ? all.filter(({ mayDiffer }) => !mayDiffer) : [];
  if (differing.length > 0) throw valuesDiffer(differing.map(({ what }) => what));
  return all.length === 0
    ? { ...counted, by: "values" }
    : { ...counted, by: "counts", onlyCounted: bounded(all.map(({ what }) => what)) };
}

function hashesOf(tables: readonly NotedTable[]): ReadonlyMap<string, RowsHash> {
  const hashes = new Map<string, RowsHash>();
  for (const table of tables) {
    const [before, { hash }] = [hashes.get(nameOf(table)), table];
    if (hash !== undefined) hashes.set(nameOf(table), before === undefined ? hash : addHashes(before, hash));
  }
  return hashes;
}

function nameOf({ schema, name }: Pick<NotedTable, "schema" | "name">): string {
  return `${schema}.${name}`;
}

function bounded(names: readonly string[]): readonly string[] {
  return names.length > NAMED ? [...names.slice(0, NAMED), `${names.length - NAMED} more`] : names;
}

function valuesDiffer(names: readonly string[]): DormouseError {
  return new DormouseError("values_differ", `${ROWS_DIFFER}: other values in ${bounded(names).join(", ")}`, {
    hint: `nothing was changed, and the number of rows is right: restore the backup before it, which GET / lists; ${SERVER_LOG}`,
  });
}
