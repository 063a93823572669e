import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { proxiedMirror } from "../../support/proxied-mirror.ts";
import { embeddedStore, type OwnStore } from "../../support/s3.ts";
import type { Fault } from "../../support/store-proxy.ts";

const never = new AbortController().signal;

describe("a mirror whose store does not list to the end", () => {
  let store: OwnStore;
  before(async () => void (store = await embeddedStore()));
  after(() => store[Symbol.asyncDispose]());

  for (const [how, second] of Object.entries({
    "fails on its second page": { answer: 500, code: "InternalError" },
    "repeats its first page": { answer: 200, code: "", body: pageOf("again") },
    "ends without saying where it goes on": { answer: 200, code: "", body: pageOf(undefined) },
  } satisfies Record<string, Fault>))
    it(`takes no listing for whole that ${how}`, async () => {
      await using given = await proxiedMirror(store);
      given.proxy.set(({ path }) => {
        if (!path.includes("list-type=2")) return undefined;
        return path.includes("continuation-token")
          ? second
          : { answer: 200, code: "", body: pageOf("again") };
      });

      await assert.rejects(given.mirror.list(never), { code: "mirror_unreachable" });
    });

  it("takes no listing for whole whose pages lead in a circle", async () => {
    await using given = await proxiedMirror(store);
    given.proxy.set(({ path }) => {
      if (!path.includes("list-type=2")) return undefined;
      const body = pageOf(path.includes("continuation-token=one") ? "two" : "one");
      return { answer: 200, code: "", body };
    });

    await assert.rejects(given.mirror.list(AbortSignal.timeout(60_000)), { code: "mirror_unreachable" });
  });
});

function pageOf(token: string | undefined): string {
  const next = token === undefined ? "" : `<NextContinuationToken>${token}</NextContinuationToken>`;
  return `<ListBucketResult><IsTruncated>true</IsTruncated>${next}</ListBucketResult>`;
}
