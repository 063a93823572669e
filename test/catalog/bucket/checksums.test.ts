import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { aBackupOf, LARGE } from "../../contracts/mirror.ts";
import { ableStore } from "../../support/able-store.ts";
import { collect } from "../../support/postgres-adapter.ts";
import { proxiedMirror } from "../../support/proxied-mirror.ts";
import { embeddedStore } from "../../support/s3.ts";
import type { Fault, Seen } from "../../support/store-proxy.ts";
import { pieces } from "../../support/volume.ts";

const never = new AbortController().signal;
const small = aBackupOf(Buffer.from("PGDMP"));
const isGet = ({ method, path }: Seen) => method === "GET" && path.includes(".bak?");

describe("a mirror and the checksums of its store", () => {
  it("suits a store that rejects the newer checksums, and says what to set where it is sent them", async () => {
    await using store = await embeddedStore();
    await using given = await proxiedMirror(store);
    await using other = await proxiedMirror(store, { checksums: "when-supported" });
    const large = aBackupOf(LARGE);
    const rejects = ({ headers }: Seen): Fault | undefined =>
      Object.keys(headers).some((name) => /^x-amz-(checksum|sdk-checksum|trailer)/.test(name))
        ? { answer: 400, code: "InvalidRequest" }
        : undefined;
    given.proxy.set(rejects);
    other.proxy.set(rejects);

    await given.mirror.copyIn(large, async () => pieces(LARGE), never);

    assert.deepEqual((await given.mirror.list(never)).backups, [large]);
    await assert.rejects(
      other.mirror.copyIn(large, async () => pieces(LARGE), never),
      { code: "mirror_refused", hint: /S3_CHECKSUMS=when-required/ },
    );
  });

  it("says that bytes are others on their way back, not that the store refuses, where it vouches for them", async () => {
    await using able = await ableStore();
    await using given = await proxiedMirror(able, { checksums: "when-supported" });
    const { proxy, mirror } = given;
    await mirror.copyIn(small, async () => pieces("PGDMP"), never);
    proxy.set((request) => (isGet(request) ? { corrupt: true } : undefined));

    await assert.rejects(collect(await mirror.open(small.name, 0, never)), {
      code: "mirror_checksum_mismatch",
    });
  });

  it("reads back what the store has another checksum of than it was given", async () => {
    await using able = await ableStore();
    await using given = await proxiedMirror(able, { checksums: "when-supported" });
    const { proxy, mirror } = given;
    const headers = { "content-length": "5", "x-amz-checksum-sha256": readDigest("PGDMX") };
    const wasSent = () => proxy.seen.some(({ method }) => method === "PUT");
    proxy.set(({ method }) =>
      method === "HEAD" && wasSent() ? { answer: 200, code: "", body: "", headers } : undefined,
    );

    await mirror.copyIn(small, async () => pieces("PGDMP"), never);

    assert.equal(proxy.seen.filter(isGet).length, 1);
  });
});

function readDigest(text: string): string {
  return createHash("sha256").update(text).digest("base64");
}
