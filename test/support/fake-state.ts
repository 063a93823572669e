import type { ApiRequest } from "./fake-api-server.ts";
import type { FakeWorkload } from "./fake-workload.ts";

export const NAMESPACE = "hets";
/** The function's own account, whose token the kubeconfig holds. */
export const FUNCTION_USER = `system:serviceaccount:${NAMESPACE}:restore`;

/** The owner of a token. */
export type FakeUser = {
  readonly token: string;
  readonly name: string;
  /** `unchecked`: by an authenticator that knows no audiences, vouches nevertheless, and leaves them out. */
  readonly audiences: readonly string[] | "unchecked";
  readonly isExpired?: boolean;
};

export type How = "answers" | "is silent" | "is overloaded" | "rejects tokens";

/** What a fake cluster holds and was asked. */
export function emptyState() {
  let version = 0;
  return {
    nextVersion: () => `${(version += 1)}`,
    how: "answers" as How,
    requests: [] as ApiRequest[],
    workloads: new Map<string, FakeWorkload>(),
    autoscalers: new Map<string, { readonly kind: string; readonly name: string }>(),
    pingSources: new Map<string, Record<string, unknown>>(),
    users: new Map<string, FakeUser>(),
    granted: new Set<string>(),
    denied: new Set<string>(),
  };
}

export type State = ReturnType<typeof emptyState>;

export function isDenied({ denied }: State, right: string, user: string): boolean {
  return user !== FUNCTION_USER || denied.has(right);
}
