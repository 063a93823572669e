import type { DormouseError } from "../../errors.ts";

/** A database that a restore of `live` loads; its name is `runDatabase` of these. */
export type OwnDatabase = {
  readonly live: string;
  readonly role: "restore" | "scratch";
  readonly run: string;
};

/** The databases that bear a name which restores of a database give. */
export type RestoresDatabases = {
  /** Out of use, newest first, also those whose time is over: each can be brought back until it is dropped. */
  readonly kept: readonly { readonly database: string; readonly run: string; readonly until: Date }[];
  /** Those of them whose time is over. */
  readonly over: readonly string[];
  /** Named as if kept, and without the mark of a restore: an earlier version kept them, or another client made them. */
  readonly unmarked: readonly string[];
  /** What restores load, each with the beginning of its run's id. */
  readonly loaded: readonly { readonly database: string; readonly run: string }[];
};

export type ExpiredDatabases = Pick<RestoresDatabases, "unmarked"> & {
  readonly dropped: readonly string[];
  readonly failed: readonly { readonly database: string; readonly problem: DormouseError }[];
};

/** What restores of the database `live` kept and whose time is over. */
export type Expired = {
  /** Asked without the lock, for which no run should wait in vain. */
  find(live: string, signal: AbortSignal): Promise<RestoresDatabases>;
  /** For the holder of the database's lock. */
  drop(live: string, signal: AbortSignal): Promise<ExpiredDatabases>;
};

/** PostgreSQL cuts names at 63 bytes. */
const MAX_NAME_BYTES = 63;
/** Enough of a run's id that no other database has the name. */
const RUN_LENGTH = 12;

export type NameRole = "restore" | "before" | "scratch";

/** `hets__restore_0123456789ab`: the name of a database that belongs to one run. */
export function runDatabase(database: string, role: NameRole, run: string): string {
  const suffix = `__${role}_${run.slice(run.indexOf("-") + 1).slice(0, RUN_LENGTH)}`;
  return cutToBytes(database, MAX_NAME_BYTES - suffix.length) + suffix;
}

function cutToBytes(text: string, limit: number): string {
  let cut = "";
  for (const character of text) {
    if (new TextEncoder().encode(cut + character).length > limit) break;
    cut += character;
  }
  return cut;
}

/** Whether a database bears a name that some restore of `live` gives in that role. */
export function isRunDatabase(name: string, live: string, role: NameRole): boolean {
  return name === runDatabase(live, role, `restore-${name.slice(-RUN_LENGTH)}`);
}
