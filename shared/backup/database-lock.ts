/** What only the lock's holder may do. */
export type HeldDatabase = {
  /** Aborts when the connection that holds the lock ends, for whatever reason: stop writing, publish nothing. */
  readonly lost: AbortSignal;
};

export type DatabaseLock = {
  /**
   * Runs `work` while one session holds the advisory lock of `database`. Throws `database_busy` when another run
   * holds it, and the connection's own error when the server cannot be reached.
   */
  hold<Result>(
    database: string,
    signal: AbortSignal,
    work: (held: HeldDatabase) => Promise<Result>,
  ): Promise<Result>;
};
