/** Who asked, as the cluster or the configuration names them: it goes into the record of the run and into the log. */
export type Caller = { readonly name: string };

/** What a caller wants: `get` the catalog, `restore` a backup, `pin` or unpin one, ... */
export type Verb = "get" | "restore" | "pin";

export type Authorize = {
  /**
   * The caller of a request with this bearer token. Throws `unauthenticated` when nobody vouches for the token, and
   * `forbidden` when its owner may not do this. Neither says which part of a token was wrong.
   */
  (
    request: { readonly token: string | undefined; readonly verb: Verb },
    signal: AbortSignal,
  ): Promise<Caller>;
};
