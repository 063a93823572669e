import type { Answer, ApiRequest } from "./fake-api-server.ts";
import { isDenied, type State } from "./fake-state.ts";

type Review<Spec> = { readonly spec: Spec };

export function tokenReview({ users }: State, { body }: ApiRequest): Answer {
  const { token, audiences = [] } = (
    body as Review<{ readonly token: string; readonly audiences?: string[] }>
  ).spec;
  const user = users.get(token);
  const meantFor = user?.audiences ?? [];
  const shared = meantFor === "unchecked" ? [] : audiences.filter((audience) => meantFor.includes(audience));
  const isGood =
    user !== undefined && user.isExpired !== true && (shared.length > 0 || meantFor === "unchecked");
  const status = isGood
    ? {
        authenticated: true,
        user: { username: user.name, uid: `uid-of-${user.name}`, groups: ["system:authenticated"] },
        audiences: shared,
      }
    : { user: {}, error: "[invalid bearer token, token lookup failed]" };
  return {
    status: 201,
    body: { kind: "TokenReview", apiVersion: "authentication.k8s.io/v1", metadata: {}, spec: {}, status },
  };
}

type AccessSpec = {
  readonly user: string;
  readonly resourceAttributes: { readonly verb: string; readonly resource: string };
};

export function accessReview({ granted }: State, { body }: ApiRequest): Answer {
  const {
    user,
    resourceAttributes: { verb, resource },
  } = (body as Review<AccessSpec>).spec;
  return reviewed("SubjectAccessReview", granted.has(`${user} ${verb} ${resource}`));
}

function reviewed(kind: string, allowed: boolean): Answer {
  const body = { kind, apiVersion: "authorization.k8s.io/v1", metadata: {}, spec: {}, status: { allowed } };
  return { status: 201, body };
}

export function selfAccessReview(state: State, { user, body }: ApiRequest): Answer {
  const { verb, resource } = (body as Review<Omit<AccessSpec, "user">>).spec.resourceAttributes;
  return reviewed("SelfSubjectAccessReview", !isDenied(state, `${verb} ${resource}`, user));
}
