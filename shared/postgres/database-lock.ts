/** The names of an exchange. */
export type Exchange = {
  readonly live: string;
  /** Becomes live. */
  readonly loaded: string;
  /** What the live one is called from then on; absent when there is no live one. */
  readonly kept?: string | undefined;
  /** Whose exchange it is: what becomes live stays under way by it. */
  readonly run: string;
  /** How long the kept one stays, by the server's clock. */
  readonly keepMs: number;
};

/** What only the lock's holder may do. The methods run on the connection that holds the lock: no lock, no exchange. */
export type HeldDatabase = {
  /** Aborts when the connection that holds the lock ends, for whatever reason: stop writing, publish nothing. */
  readonly lost: AbortSignal;
  /** The runs that wait for this lock now, each in a process that is alive. */
  waiting(): Promise<ReadonlySet<string>>;
  /**
   * Closes a database to new sessions, superusers' too, and ends those that there are; answers how many. Throws
   * `sessions_remain`, naming them, when one does not go.
   */
  fence(database: string): Promise<number>;
  /** Lets sessions in again. That the database is not there is fine. */
  reopen(database: string): Promise<void>;
  /**
   * Gives both databases their new names in one transaction, in which the one that becomes live is opened and the
   * other stays closed: the name `live` exists at every moment. Both must have been fenced.
   */
  exchange(names: Exchange): Promise<void>;
  /** Has the server say that a run works on a database: without that no other process goes on with it. */
  claim(database: string, run: string): Promise<void>;
  /** The run is finished or taken back. That a database is not there, or no longer the run's, is fine. */
  release(databases: readonly string[], run: string): Promise<void>;
  /** -1 is no limit. */
  connectionLimit(database: string): Promise<number>;
  /** That the database is not there is fine. */
  limitConnections(database: string, limit: number): Promise<void>;
  /** Leaves only the session `pid` in a database, if one is named, and lets nobody but superusers in. */
  isolate(database: string, pid: number | undefined): Promise<void>;
};

/** How a run waits for a lock that another one has. */
export type Queueing = {
  readonly forMs: number;
  /** Asked before the waiting begins, with the holder's run where that is known: whether to wait for it. */
  readonly join: (holder: string | undefined) => Promise<boolean>;
};

/**
 * What is to be locked, and for which run: others are told whom they wait for. Who has no `queue` asks once, and gives
 * way to all who wait.
 */
export type Locked = {
  readonly database: string;
  readonly run?: string | undefined;
  readonly queue?: Queueing | undefined;
};

export type DatabaseLock = {
  /**
   * Runs `work` while one session holds the advisory lock of a database. Throws `run_elsewhere` when another process
   * holds it for the same run, `database_busy` when it is another run's, at once or after the waiting, and the
   * connection's own error when the server cannot be reached.
   */
  hold<Result>(
    locked: Locked,
    signal: AbortSignal,
    work: (held: HeldDatabase) => Promise<Result>,
  ): Promise<Result>;
};
