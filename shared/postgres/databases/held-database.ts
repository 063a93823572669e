import type pg from "pg";
import { connectionLimit, isolate, limitConnections } from "../session/connection-limit.ts";
import { claim, swapNames, fence, release, reopen, type Swap } from "./swap.ts";

/** What only the lock's holder may do, on the connection that holds the lock: no lock, no swap. */
export type HeldDatabase = ReturnType<typeof heldDatabase>;

type Holding = {
  /** Aborts when the connection that holds the lock ends, for whatever reason: stop writing, publish nothing. */
  readonly lost: AbortSignal;
  /** The runs that wait for this lock now, each in a process that is alive. */
  readonly waiting: () => Promise<ReadonlySet<string>>;
  /** Runs `task` while the holder of no other database's lock does so: for what runs of all databases share. */
  readonly alone: <Answer>(task: () => Promise<Answer>) => Promise<Answer>;
};

export function heldDatabase(client: pg.Client, holding: Holding) {
  return {
    ...holding,
    fence: (database: string) => fence(client, database),
    reopen: (database: string) => reopen(client, database),
    swapNames: (names: Swap) => swapNames(client, names),
    claim: (database: string, run: string) => claim(client, database, run),
    release: (databases: readonly string[], run: string) => release(client, databases, run),
    connectionLimit: (database: string) => connectionLimit(client, database),
    limitConnections: (database: string, limit: number) => limitConnections(client, database, limit),
    isolate: (database: string, pid: number | undefined) => isolate(client, database, pid),
  };
}
