import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Authorize, Verb } from "../../shared/http/authorize.ts";
import { reviewAuth } from "../../shared/http/review-auth.ts";
import type { KubernetesWorld } from "./kubernetes-world.ts";

const signal = new AbortController().signal;

export function describeReviewAuth(where: string, open: () => Promise<KubernetesWorld>): void {
  describe(`callers known by a token ${where}`, () => {
    let world: KubernetesWorld;
    let authorize: Authorize;
    const settings = { audience: "dormouse", service: "restore" };

    before(async () => {
      world = await open();
      authorize = reviewAuth(world.call, settings);
    });
    after(() => world[Symbol.asyncDispose]());

    const asked = (token: string | undefined, verb: Verb) => authorize({ token, verb }, signal);

    it("are named, and may what a Role allows on the service", async () => {
      const token = await world.userToken("jo", { audience: "dormouse", verbs: ["restore"] });

      const { name } = await asked(token, "restore");

      assert.match(name, /(?:^|:)jo$/);
      await assert.rejects(asked(token, "pin"), { code: "forbidden", message: /jo may not pin/ });
    });

    it("are not known by a token that is made up, lacks, or is meant for another audience", async () => {
      const elsewhere = await world.userToken("al", { audience: "other", verbs: ["restore"] });

      for (const token of [undefined, "made-up", elsewhere]) {
        await assert.rejects(asked(token, "restore"), { code: "unauthenticated" });
      }
    });

    it("are not let in when the function may not ask", async () => {
      const token = await world.userToken("eve", { audience: "dormouse", verbs: ["restore"] });
      const unable = reviewAuth(world.callWithoutRights, settings);

      await assert.rejects(unable({ token, verb: "restore" }, signal), {
        code: "token_review_forbidden",
        message: /tokenreviews/,
      });
    });
  });
}
