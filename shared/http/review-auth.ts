import { createHash } from "node:crypto";
import type { V1UserInfo } from "@kubernetes/client-node";
import type { Authorize, Caller, Verb } from "./authorize.ts";
import { DormouseError } from "../errors.ts";
import { ApiRefusal, type CallCluster } from "../kubernetes/client.ts";

export type ReviewSettings = {
  /** Whom a token must be meant for: one that was given for something else is of no use here, and cannot be stolen. */
  readonly audience: string;
  /** The Knative Service of this function, in its own namespace: the verbs are rights on it. */
  readonly service: string;
  readonly monotonicMs: () => number;
};

/** A person's next request comes in seconds; a right that was taken away or given must not wait for longer. */
const REMEMBERED_MS = 10_000;
/** Allowed and refused callers have a cache each: guessed tokens displace no allowed caller. */
const REMEMBERED = 100;

type Remembered<Value> = Map<string, { readonly value: Value; readonly until: number }>;

/**
 * Asks the cluster whose token this is (TokenReview) and whether its owner may do this (SubjectAccessReview). A yes and
 * a no are remembered by the token's hash, and requests that come together are one question.
 */
export function reviewAuth(call: CallCluster, settings: ReviewSettings): Authorize {
  const allowed: Remembered<Caller> = new Map();
  const refused: Remembered<DormouseError> = new Map();
  const asking = new Map<string, Promise<Caller>>();

  function remember<Value>(known: Remembered<Value>, key: string, value: Value): void {
    known.delete(key);
    known.set(key, { value, until: settings.monotonicMs() + REMEMBERED_MS });
    for (const oldest of [...known.keys()].slice(0, known.size - REMEMBERED)) known.delete(oldest);
  }

  function remembered<Value>(known: Remembered<Value>, key: string): Value | undefined {
    const found = known.get(key);
    return found !== undefined && found.until > settings.monotonicMs() ? found.value : undefined;
  }

  async function ask(key: string, asked: Asked, signal: AbortSignal): Promise<Caller> {
    try {
      const caller = await review(call, settings, asked, signal);
      remember(allowed, key, caller);
      return caller;
    } catch (error) {
      if (error instanceof DormouseError && isRefusal(error)) remember(refused, key, error);
      throw error;
    } finally {
      asking.delete(key);
    }
  }

  return async ({ token, verb }, signal) => {
    if (token === undefined) throw unauthenticated("the request bears no token", settings);
    const key = `${verb} ${createHash("sha256").update(token).digest("hex")}`;
    const caller = remembered(allowed, key);
    if (caller !== undefined) return caller;
    const refusal = remembered(refused, key);
    if (refusal !== undefined) throw refusal;
    const answer = asking.get(key) ?? ask(key, { token, verb }, signal);
    asking.set(key, answer);
    return answer;
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
    throw new DormouseError(
      "token_review_forbidden",
      `the cluster may not be asked who calls: ${error.message}`,
      {
        hint: "bind the ClusterRole system:auth-delegator to this function's service account",
        cause: error,
      },
    );
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
