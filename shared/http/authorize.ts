/** The caller, as the cluster or the configuration names them: it goes into the record of the run and into the log. */
export type Caller = { readonly name: string };

/**
 * What a caller wants: `get` the catalog or a run, `backup`, `cull`, `restore`, `pin` or otherwise mark a backup, `notify`
 * people by a test message.
 */
export type Verb = "get" | "backup" | "cull" | "restore" | "pin" | "notify";

export type Authorize = {
  /**
   * The caller of a request with this bearer token. Throws `unauthenticated` if the token is not valid, and
   * `forbidden` when its owner may not do this. Neither says which part of a token was wrong. Without a verb it is only
   * authenticated: what a request wants may stand in its body, which is not read for strangers.
   */
  (
    request: { readonly token: string | undefined; readonly verb?: Verb | undefined },
    signal: AbortSignal,
  ): Promise<Caller>;
};
