import { createHash } from "node:crypto";
import type { V1UserInfo } from "@kubernetes/client-node";
import type { Authorize, Caller, Verb } from "./authorize.ts";
import { DormouseError } from "../errors.ts";
import { ApiRefusal, type CallCluster } from "../kubernetes/client.ts";

type ReviewSettings = {
  /** The audience that a token must have: one that was given for something else is of no use here, and cannot be stolen. */
  readonly audience: string;
  /** The Knative Service of this function, in its own namespace: the verbs are rights on it. */
  readonly service: string;
};

/** A person's next request comes in seconds; a right that was taken away or given must not wait for longer. */
const REMEMBERED_MS = 10_000;
/** Allowed and refused callers have a cache each: guessed tokens displace no allowed caller. */
const REMEMBERED = 100;

/** More callers that were never seen come at once only where tokens are guessed. */
const NEW_AT_ONCE = 20;
const NEW_PER_SECOND = 10;

/**
 * Asks the cluster whose token this is (TokenReview) and whether its owner may do this (SubjectAccessReview). A yes and
 * a no are remembered by the token's hash, and requests that come together are one question. Tokens that were never
 * good are asked about some at a time.
 */
export function reviewAuth(call: CallCluster, settings: ReviewSettings): Authorize {
  const allowed = createMemory<Caller>();
  const refused = createMemory<DormouseError>();
  const asking = new Map<string, Promise<Caller>>();
  const limit = limitNew();

  async function ask({ key, hash }: Keys, asked: Asked, signal: AbortSignal): Promise<Caller> {
    try {
      const caller = await review(call, settings, asked, signal);
      allowed.set(key, caller);
      limit.found(hash, true);
      return caller;
    } catch (error) {
      if (error instanceof DormouseError && isRefusal(error)) {
        refused.set(key, error);
        limit.found(hash, error.code === "forbidden");
      }
      throw error;
    } finally {
      asking.delete(key);
    }
  }

  return async ({ token, verb }, signal) => {
    if (token === undefined) throw unauthenticated("the request bears no token", settings);
    const hash = createHash("sha256").update(token).digest("hex");
    const key = `${verb} ${hash}`;
    const caller = allowed.get(key);
    if (caller !== undefined) return caller;
    const refusal = refused.get(key);
    if (refusal !== undefined) throw refusal;
    const underWay = asking.get(key);
    if (underWay !== undefined) return underWay;
    limit.admit(hash);
    const answer = ask({ key, hash }, { token, verb }, signal);
    asking.set(key, answer);
    return answer;
  };
}

/** The hash of a token, and that of the question, which names the verb too. */
type Keys = { readonly key: string; readonly hash: string };

/** The latest answers, each for some seconds. */
function createMemory<Value>() {
  const known = new Map<string, { readonly value: Value; readonly until: number }>();
  return {
    get(key: string): Value | undefined {
      const found = known.get(key);
      return found !== undefined && found.until > performance.now() ? found.value : undefined;
    },
    set(key: string, value: Value): void {
      known.delete(key);
      known.set(key, { value, until: performance.now() + REMEMBERED_MS });
      forgetOldest(known);
    },
  };
}

function forgetOldest(known: Map<string, unknown> | Set<string>): void {
  for (const oldest of [...known.keys()].slice(0, known.size - REMEMBERED)) known.delete(oldest);
}

/** A token bucket for questions about tokens that were never good; one that was is asked about, whatever is guessed meanwhile. */
function limitNew() {
  const good = new Set<string>();
  let left = NEW_AT_ONCE;
  let atMs = performance.now();
  return {
    admit(hash: string): void {
      if (good.has(hash)) return;
      const nowMs = performance.now();
      left = Math.min(NEW_AT_ONCE, left + ((nowMs - atMs) / 1000) * NEW_PER_SECOND);
      atMs = nowMs;
      if (left < 1) throw tooMany();
      left -= 1;
    },
    found(hash: string, isGood: boolean): void {
      good.delete(hash);
      if (isGood) good.add(hash);
      forgetOldest(good);
    },
  };
}

function isRefusal({ code }: DormouseError): boolean {
  return code === "unauthenticated" || code === "forbidden";
}

type Asked = { readonly token: string; readonly verb: Verb | undefined };

async function review(
  call: CallCluster,
  settings: ReviewSettings,
  { token, verb }: Asked,
  signal: AbortSignal,
): Promise<Caller> {
  const user = await asked(reviewToken(call, token, settings, signal));
  const isAllowed =
    verb === undefined || (await asked(reviewAccess(call, user, { ...settings, verb }, signal)));
  if (!isAllowed) throw forbidden(user, verb, settings);
  return { name: user.username ?? "a user without a name" };
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
    throw unauthenticated("the API server does not accept this token", settings);
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
    throw new DormouseError("token_review_forbidden", `tokens cannot be reviewed: ${error.message}`, {
      hint: "bind the ClusterRole system:auth-delegator to this function's service account",
      cause: error,
    });
  }
}

function tooMany(): DormouseError {
  return new DormouseError("rate_limited", "too many tokens that this function does not know came at once", {
    hint: "send the request again in some seconds; if it goes on, a client guesses tokens: restrict the network access to this function",
  });
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
