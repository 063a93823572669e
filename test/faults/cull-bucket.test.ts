import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { CullPlacesReport } from "../../functions/cull/cull-places.ts";
import { cull, daysOf } from "../support/culled.ts";
import { until } from "../support/faulty.ts";
import { reportOfBucket, setMirroredCull } from "../support/mirrored-cull.ts";
import { embeddedStore, type OwnStore } from "../support/s3.ts";
import type { Seen } from "../support/store-proxy.ts";

const isListing = ({ path }: Seen) => path.includes("list-type=2");
const isRemoval = ({ method }: Seen) => method === "DELETE";

describe("a cull of a bucket that fails, refuses, or keeps what is removed", () => {
  let store: OwnStore;
  before(async () => void (store = await embeddedStore()));
  after(() => store[Symbol.asyncDispose]());

  it("removes nothing from a bucket whose list fails on its second page, and culls the volume", async () => {
    await using given = await setMirroredCull(store, { onVolume: 4, inBucket: 4 });
    const culler = await given.start();
    const page = "<IsTruncated>true</IsTruncated><NextContinuationToken>two</NextContinuationToken>";
    given.proxy.set((request) => {
      if (!isListing(request)) return undefined;
      return request.path.includes("continuation-token")
        ? { answer: 500, code: "InternalError" }
        : { answer: 200, code: "", body: `<ListBucketResult>${page}</ListBucketResult>` };
    });

    const report = await cull(culler);

    assert.deepEqual(daysOf(report.removed), ["11-01", "11-02"]);
    assert.equal(toProblem(report)?.code, "mirror_unreachable");
    assert.deepEqual(given.proxy.seen.filter(isRemoval), []);
    assert.equal((await given.mirrored()).length, 4);
    assert.equal((await culler.logged("cull failed"))["place"], "bucket");
    assert.deepEqual(await given.events(), [
      ["dev.dormouse.cull.completed", "volume"],
      ["dev.dormouse.cull.failed", "bucket"],
    ]);
  });

  it("reports a removal that is denied, what went before it, and goes on when it is allowed", async () => {
    await using given = await setMirroredCull(store, { onVolume: 1, inBucket: 5 });
    const culler = await given.start();
    given.proxy.set((request) =>
      isRemoval(request) && request.path.includes("2025-11-02")
        ? { answer: 403, code: "AccessDenied" }
        : undefined,
    );

    const problem = toProblem(await cull(culler));
    const left = await given.mirrored();
    given.proxy.set(() => undefined);
    const rest = reportOfBucket(await cull(culler));

    assert.equal(problem?.code, "mirror_refused");
    assert.match(problem?.message ?? "", /stopped at 2025-11-02.*removed 1 of 3 \(2025-11-01/);
    assert.match(problem?.hint ?? "", /s3:DeleteObject/);
    assert.deepEqual(left, ["11-05", "11-04", "11-03", "11-02"]);
    assert.deepEqual(daysOf(rest.removed), ["11-02", "11-03"]);
  });

  for (const [what, meets, headers, why] of [
    [
      "a lock keeps",
      ({ method }: Seen) => method === "HEAD",
      { "x-amz-object-lock-legal-hold": "ON" },
      /lock/,
    ],
    ["versions keep", isRemoval, { "x-amz-delete-marker": "true" }, /versions/],
  ] as const)
    it(`does not count as removed what ${what}`, async () => {
      await using given = await setMirroredCull(store, { onVolume: 1, inBucket: 3 });
      const culler = await given.start();
      given.proxy.set((request) =>
        meets(request) ? { answer: isRemoval(request) ? 204 : 200, code: "", body: "", headers } : undefined,
      );

      const report = reportOfBucket(await cull(culler));

      assert.deepEqual([report.removed, report.bytesFreed, report.kept], [[], 0, 3]);
      assert.match(report.remaining[0]?.why ?? "", why);
    });

  it("removes as many as one run may, however many before them a legal hold keeps", async () => {
    await using given = await setMirroredCull(store, { onVolume: 1, inBucket: 4 });
    const culler = await given.start({ MAX_REMOVALS: "1" });
    const hold = { answer: 200, code: "", body: "", headers: { "x-amz-object-lock-legal-hold": "ON" } };
    given.proxy.set(({ method, path }) =>
      method === "HEAD" && path.includes("2025-11-01") ? hold : undefined,
    );

    const report = reportOfBucket(await cull(culler));

    assert.deepEqual(daysOf(report.removed), ["11-02"]);
    assert.match(report.remaining[0]?.why ?? "", /lock/);
  });

  it("finishes what a killed process had half removed", async () => {
    await using given = await setMirroredCull(store, { onVolume: 1, inBucket: 3 });
    const doomed = await given.start();
    const isArchive = (request: Seen) => isRemoval(request) && !request.path.includes(".json");
    given.proxy.set((request) => (isArchive(request) ? { stall: true } : undefined));
    await doomed.ping();
    await until(() => given.proxy.seen.some(isArchive));
    await doomed.end("SIGKILL");
    const half = await given.bucket.keys();
    given.proxy.set(() => undefined);

    const next = await given.start();
    await next.logged("run succeeded");

    assert.deepEqual(half.filter((key) => key.includes("2025-11-01")).length, 1);
    assert.deepEqual(
      (await given.bucket.keys()).filter((key) => key.includes("2025-11-01")),
      [],
    );
    assert.deepEqual(await given.mirrored(), ["11-03", "11-02"]);
  });
});

function toProblem({ bucket }: CullPlacesReport) {
  return bucket !== undefined && "problem" in bucket ? bucket.problem : undefined;
}
