import { createHash } from "node:crypto";
import type { V1UserInfo } from "@kubernetes/client-node";
import type { Authorize, Caller, Verb } from "../backup/authorize.ts";
import { DormouseError } from "../errors.ts";
import { ApiRefusal, type CallCluster } from "./client.ts";

export type ReviewSettings = {
  /** Whom a token must be meant for: one that was given for something else is of no use here, and cannot be stolen. */
  readonly audience: string;
  /** The Knative Service of this function, in its own namespace: the verbs are rights on it. */
  readonly service: string;
  readonly monotonicMs: () => number;
};

/** A person's next request comes in seconds; a right that was taken away must not live on for longer. */
const REMEMBERED_MS = 10_000;
const REMEMBERED_CALLERS = 100;

/**
 * Asks the cluster whose token this is (TokenReview) and whether its owner may do this (SubjectAccessReview). Only a
 * yes is remembered, by the token's hash.
 */
export function reviewAuth(call: CallCluster, settings: ReviewSettings): Authorize {
  const known = new Map<string, { readonly caller: Caller; readonly until: number }>();

  return async ({ token, verb }, signal) => {
    if (token === undefined) throw unauthenticated("the request bears no token", settings);
    const key = `${verb} ${createHash("sha256").update(token).digest("hex")}`;
    const found = known.get(key);
    if (found !== undefined && found.until > settings.monotonicMs()) return found.caller;

    const user = await asked(reviewToken(call, token, settings, signal));
    const isAllowed = await asked(reviewAccess(call, user, { ...settings, verb }, signal));
    if (!isAllowed) throw forbidden(user, verb, settings);
    const caller = { name: user.username ?? "a user without a name" };
    known.delete(key);
    known.set(key, { caller, until: settings.monotonicMs() + REMEMBERED_MS });
    for (const oldest of [...known.keys()].slice(0, known.size - REMEMBERED_CALLERS)) known.delete(oldest);
    return caller;
  };
}

async function reviewToken(
  call: CallCluster,
  token: string,
  settings: ReviewSettings,
  signal: AbortSignal,
): Promise<V1UserInfo> {
  const body = { spec: { token, audiences: [settings.audience] } };
  const { status } = await call(signal, ({ authentication }, options) =>
    authentication.createTokenReview({ body }, options),
  );
  // An API that knows no audiences vouches for the token and leaves them out: it did not check what we asked.
  const isMeantForUs = status?.audiences?.includes(settings.audience) ?? false;
  if (status?.authenticated !== true || !isMeantForUs || status.user === undefined) {
    throw unauthenticated("nobody vouches for this token", settings);
  }
  return status.user;
}

async function reviewAccess(
  call: CallCluster,
  { username, uid, groups, extra }: V1UserInfo,
  { service, verb }: ReviewSettings & { readonly verb: Verb },
  signal: AbortSignal,
): Promise<boolean> {
  const resource = { group: "serving.knative.dev", resource: "services", name: service, verb };
  const user = {
    ...(username === undefined ? {} : { user: username }),
    ...(uid === undefined ? {} : { uid }),
    ...(groups === undefined ? {} : { groups }),
    ...(extra === undefined ? {} : { extra }),
  };
  const { status } = await call(signal, ({ authorization, namespace }, options) => {
    const body = { spec: { ...user, resourceAttributes: { ...resource, namespace } } };
    return authorization.createSubjectAccessReview({ body }, options);
  });
  return status?.allowed === true;
}

async function asked<Answer>(review: Promise<Answer>): Promise<Answer> {
  try {
    return await review;
  } catch (error) {
    if (!(error instanceof ApiRefusal)) throw error;
    throw new DormouseError("review_forbidden", `the cluster may not be asked who calls: ${error.message}`, {
      hint: "bind the ClusterRole system:auth-delegator to this function's service account",
      cause: error,
    });
  }
}

function unauthenticated(why: string, { audience }: ReviewSettings): DormouseError {
  return new DormouseError("unauthenticated", why, {
    hint: `send Authorization: Bearer $(kubectl create token NAME --audience=${audience})`,
  });
}

function forbidden({ username }: V1UserInfo, verb: Verb, { service }: ReviewSettings): DormouseError {
  return new DormouseError("forbidden", `${username ?? "this user"} may not ${verb} with ${service}`, {
    hint: `a Role must allow the verb ${verb} on services.serving.knative.dev named ${service}`,
  });
}
