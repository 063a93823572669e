import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setAuthorizingStage, type AuthorizingStage } from "../support/authorizing.ts";

describe("a function whose callers the cluster knows", () => {
  let stage: AuthorizingStage;
  before(async () => void (stage = await setAuthorizingStage()));
  after(() => stage[Symbol.asyncDispose]());

  for (const [what, token, status] of [
    ["without a token", undefined, 401],
    ["with an unknown token", "made-up", 401],
    ["with an expired token", "old", 401],
    ["with a token for another audience", "elsewhere", 401],
    ["with a token whose audience the cluster did not check", "unchecked", 401],
    ["of a caller without the right", "reader", 403],
  ] as const)
    it(`answers ${status} to a POST ${what}, and reads nothing`, async () => {
      await using service = await stage.serve({ AUTH: "kubernetes" });

      await service.assertRefused(token, status);
    });

  it("puts the name that the cluster knows into the record", async () => {
    await using service = await stage.serve({ AUTH: "kubernetes" });

    const response = await service.post("good");
    const run = await service.runOf(response);

    assert.equal(response.status, 200);
    assert.equal(run.caller, "jo");
    assert.deepEqual(service.seen, ["body", "work"]);
  });

  it("lets a caller read that may not restore", async () => {
    await using service = await stage.serve({ AUTH: "kubernetes" });

    const response = await service.get("reader");

    assert.equal(response.status, 200);
    assert.deepEqual(service.seen, ["show"]);
  });

  it("asks the cluster once in some seconds for each token and verb, and for the bearer of each token", async (test) => {
    // However long the machine takes: the answers are remembered for seconds.
    test.mock.method(performance, "now", () => 0);
    await using service = await stage.serve({ AUTH: "kubernetes" });
    const before = stage.reviews();

    for (const _ of [1, 2, 3]) await service.get("good");
    await service.post("good");

    assert.equal(stage.reviews(), before + 3);
  });

  it("asks once for a token that is guessed again and again, also at once, and keeps good tokens", async (test) => {
    test.mock.method(performance, "now", () => 0);
    await using service = await stage.serve({ AUTH: "kubernetes" });
    await service.get("good");
    const before = stage.reviews();

    const guesses = await Promise.all(Array.from({ length: 50 }, () => service.get("guessed")));
    const forbidden = await Promise.all([service.post("reader"), service.post("reader")]);
    const afterGuesses = stage.reviews();
    const own = await service.get("good");

    assert.deepEqual(new Set(guesses.map(({ status }) => status)), new Set([401]));
    assert.deepEqual(
      forbidden.map(({ status }) => status),
      [403, 403],
    );
    assert.deepEqual([afterGuesses - before, stage.reviews() - afterGuesses, own.status], [3, 0, 200]);
  });

  it("says that the function may not review tokens, and lets no caller in", async () => {
    await using service = await stage.serve({ AUTH: "kubernetes" });
    stage.fake.deny("create tokenreviews");

    const response = await service.get("good");
    stage.fake.allow("create tokenreviews");

    assert.equal(response.status, 500);
    assert.equal(((await response.json()) as { code: string }).code, "token_review_forbidden");
    assert.deepEqual(service.seen, []);
  });

  it("lets no caller in while the cluster does not answer", async () => {
    await using service = await stage.serve({ AUTH: "kubernetes" });
    stage.fake.behave("is overloaded");

    const response = await service.get("good");
    stage.fake.behave("answers");

    assert.equal(response.status, 503);
    assert.deepEqual(service.seen, []);
  });

  it("says that the cluster did not answer in time, where a review takes longer than a caller should wait", async (test) => {
    await using service = await stage.serve({ AUTH: "kubernetes" });
    const late = AbortSignal.abort(new DOMException("the time is over", "TimeoutError"));
    test.mock.method(AbortSignal, "timeout", () => late);

    const response = await service.get("late");
    test.mock.restoreAll();

    assert.equal(response.status, 503);
    assert.equal(((await response.json()) as { code: string }).code, "cluster_unreachable");
    assert.deepEqual(service.seen, []);
  });

  it("does not start without a Knative Service", async () => {
    const call = stage.serve({ AUTH: "kubernetes", K_SERVICE: undefined });

    await assert.rejects(call, { code: "configuration_invalid" });
  });
});
