import { asking, type Cluster } from "./cluster.ts";

const AUDIENCE = "dormouse";
const LIFETIME_SECONDS = 600;
const RENEW_BEFORE_MS = 120_000;

/** Tokens of an account for the functions alone, of ten minutes, in memory only. */
export function tokensOf(cluster: Cluster, serviceAccount: string): () => Promise<string> {
  let known: { readonly token: string; readonly until: number } | undefined;
  return async () => {
    if (known !== undefined && known.until - Date.now() > RENEW_BEFORE_MS) return known.token;
    const rule = { group: "", resource: "serviceaccounts/token", verb: "create" };
    const { status } = await asking(cluster, rule, () =>
      cluster.core.createNamespacedServiceAccountToken({
        name: serviceAccount,
        namespace: cluster.namespace,
        body: { spec: { audiences: [AUDIENCE], expirationSeconds: LIFETIME_SECONDS } },
      }),
    );
    const { token = "", expirationTimestamp } = status ?? {};
    known = { token, until: expirationTimestamp?.getTime() ?? Date.now() };
    return token;
  };
}
