import type { DormouseError } from "../../errors.ts";

/** A database that a restore of `live` loads; its name is `runDatabase` of these. */
export type OwnDatabase = {
  readonly live: string;
  readonly role: "restore" | "scratch";
  readonly run: string;
};

/** The databases that bear a name which restores of a database give. */
export type RestoresDatabases = {
  /** Kept, and their time is over. */
  readonly over: readonly string[];
  /** Named as if kept, and without the mark of a restore: an earlier version kept them, or anybody made them. */
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
  /** Asked without the lock, for which nobody should wait in vain. */
  find(live: string, signal: AbortSignal): Promise<RestoresDatabases>;
  /** For who holds the lock of the database. */
  drop(live: string, signal: AbortSignal): Promise<ExpiredDatabases>;
};
