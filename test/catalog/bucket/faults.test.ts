import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { readdir, readlink } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { toBackup } from "../../../shared/catalog/backup.ts";
import type { ErrorCode } from "../../../shared/errors.ts";
import type { BucketSettings } from "../../../shared/catalog/bucket/bucket.ts";
import { bucketCatalog } from "../../../shared/catalog/bucket/bucket-catalog.ts";
import { ableStore } from "../../support/able-store.ts";
import { aManifest } from "../../support/backups.ts";
import { collect } from "../../support/postgres-adapter.ts";
import {
  embeddedStore,
  makeBucket,
  storeProxy,
  type Fault,
  type OwnStore,
  type Seen,
  type TestBucket,
} from "../../support/s3.ts";
import { pieces, publish, temporaryVolume } from "../../support/volume.ts";

const never = new AbortController().signal;
const LARGE = randomBytes((20 << 20) + 17);
/** More than the SDK lets pass, less than the embedded store refuses. */
const CLOCK_OFF_MS = 10 * 60_000;
const isPart = ({ method, path }: Seen) => method === "PUT" && path.includes("partNumber=2");
const isGet = ({ method, path }: Seen) => method === "GET" && path.includes(".bak?");
const isManifest = ({ method, path }: Seen) => method === "PUT" && path.includes(".bak.json");

describe("a mirror whose store or network fails", () => {
  let store: OwnStore;
  before(async () => void (store = await embeddedStore()));
  after(() => store[Symbol.asyncDispose]());

  async function setUp(changes: Partial<BucketSettings> = {}) {
    const proxy = await storeProxy(store.port);
    const bucket = await makeBucket(store);
    const mirror = bucketCatalog({ ...bucket.settings, endpoint: proxy.endpoint, ...changes });
    const backup = toBackup(aManifest({ bytes: LARGE }));
    return {
      proxy,
      bucket,
      mirror,
      backup,
      copy: () => mirror.copyIn(backup, async () => pieces(LARGE), never),
      /** With all the patience that a busy machine needs. */
      catchUp: () => bucketCatalog(bucket.settings).copyIn(backup, async () => pieces(LARGE), never),
      async [Symbol.asyncDispose]() {
        await bucket[Symbol.asyncDispose]();
        await proxy[Symbol.asyncDispose]();
      },
    };
  }

  const passing: Readonly<Record<string, readonly [(request: Seen) => boolean, Fault]>> = {
    "503 SlowDown to a part": [isPart, { answer: 503, code: "SlowDown" }],
    "500 to the manifest": [isManifest, { answer: 500, code: "InternalError" }],
    "a reset in the middle of a part": [isPart, { resetAfterBytes: 1 << 20 }],
    "a reset in the middle of reading back": [isGet, { cutAnswerAfterBytes: 3 << 20 }],
    "a part that is never answered": [isPart, { stall: true }],
  };
  for (const [fault, [meets, what]] of Object.entries(passing)) {
    it(`gets over ${fault}`, async () => {
      await using given = await setUp({ stallMs: "stall" in what ? 5_000 : 20_000 });
      given.proxy.set(once(meets, what));

      await given.copy();

      assert.deepEqual((await given.mirror.list(never)).backups, [given.backup]);
      assert.ok((await collect(await given.mirror.open(given.backup.name, 0, never))).equals(LARGE));
    });
  }

  it("signs by the store's clock where its own is minutes off", async () => {
    await using given = await setUp();
    const date = () => new Date(Date.now() + CLOCK_OFF_MS).toUTCString();
    let refused = 0;
    given.proxy.set(({ headers }) => {
      if (Math.abs(signedAt(headers) - Date.parse(date())) < 60_000) return { withHeaders: { date: date() } };
      refused += 1;
      return { answer: 403, code: "RequestTimeTooSkewed", headers: { date: date() } };
    });

    await given.copy();

    assert.ok(refused > 0);
    assert.deepEqual((await given.mirror.list(never)).backups, [given.backup]);
  });

  const lasting: Readonly<Record<string, readonly [(request: Seen) => boolean, Fault, ErrorCode, RegExp]>> = {
    "an expired token": [isPart, { answer: 403, code: "ExpiredToken" }, "mirror_refused", /session token/],
    "a denied manifest": [
      isManifest,
      { answer: 403, code: "AccessDenied" },
      "mirror_refused",
      /s3:PutObject/,
    ],
    "a store that is overloaded": [
      isPart,
      { answer: 503, code: "SlowDown" },
      "mirror_unreachable",
      /next run/,
    ],
    "a store that never answers": [isPart, { stall: true }, "mirror_unreachable", /next run/],
    "connections that are reset": [isPart, { resetAfterBytes: 1 }, "mirror_unreachable", /next run/],
    "a store that keeps other bytes": [isGet, { corrupt: true }, "mirror_checksum_mismatch", /do not trust/],
  };
  for (const [fault, [meets, what, code, hint]] of Object.entries(lasting)) {
    it(`counts nothing after ${fault}, says so, and catches up`, async () => {
      await using given = await setUp({ stallMs: "stall" in what ? 3_000 : 20_000 });
      given.proxy.set((request) => (meets(request) ? what : undefined));

      await assert.rejects(given.copy(), (error: { code: string; hint: string; message: string }) => {
        assert.equal(error.code, code, error.message);
        assert.match(error.hint, hint);
        assert.doesNotMatch(error.message + error.hint, /S3RVER/);
        return true;
      });
      given.proxy.set(() => undefined);
      const { backups } = await bucketCatalog(given.bucket.settings).list(never);
      assert.deepEqual(backups, []);
      await given.catchUp();

      assert.deepEqual((await given.mirror.list(never)).backups, [given.backup]);
    });
  }

  it("leaves no file of the volume open when an upload cannot begin", async () => {
    await using given = await setUp();
    await using volume = await temporaryVolume();
    const backup = await publish(volume.catalog, { bytes: LARGE });
    given.proxy.set(({ method }) => (method === "POST" ? { answer: 403, code: "AccessDenied" } : undefined));

    const copying = given.mirror.copyIn(backup, () => volume.catalog.open(backup.name, 0, never), never);
    await assert.rejects(copying, { code: "mirror_refused" });

    assert.deepEqual(await openBelow(volume.path), []);
  });

  it("suits a store that rejects the newer checksums, and says what to set where it is sent them", async () => {
    await using given = await setUp();
    await using other = await setUp({ checksums: "when-supported" });
    const rejects = ({ headers }: Seen): Fault | undefined =>
      Object.keys(headers).some((name) => /^x-amz-(checksum|sdk-checksum|trailer)/.test(name))
        ? { answer: 400, code: "InvalidRequest" }
        : undefined;
    given.proxy.set(rejects);
    other.proxy.set(rejects);

    await given.copy();

    assert.deepEqual((await given.mirror.list(never)).backups, [given.backup]);
    await assert.rejects(other.copy(), { code: "mirror_refused", hint: /S3_CHECKSUMS=when-required/ });
  });

  it("says that bytes are others on their way back, not that the store refuses, where it vouches for them", async () => {
    await using able = await ableStore();
    await using proxy = await storeProxy(able.port);
    await using bucket = await makeBucket(able);
    const mirror = bucketCatalog({
      ...bucket.settings,
      endpoint: proxy.endpoint,
      checksums: "when-supported",
    });
    const backup = toBackup(aManifest({ bytes: Buffer.from("PGDMP") }));
    await mirror.copyIn(backup, async () => pieces("PGDMP"), never);
    proxy.set((request) => (isGet(request) ? { corrupt: true } : undefined));

    await assert.rejects(collect(await mirror.open(backup.name, 0, never)), {
      code: "mirror_checksum_mismatch",
    });
  });

  it("reads back what the store has another checksum of than it was given", async () => {
    await using able = await ableStore();
    await using proxy = await storeProxy(able.port);
    await using bucket = await makeBucket(able);
    const mirror = bucketCatalog({
      ...bucket.settings,
      endpoint: proxy.endpoint,
      checksums: "when-supported",
    });
    const backup = toBackup(aManifest({ bytes: Buffer.from("PGDMP") }));
    const headers = { "content-length": "5", "x-amz-checksum-sha256": readDigest("PGDMX") };
    const wasSent = () => proxy.seen.some(({ method }) => method === "PUT");
    proxy.set(({ method }) =>
      method === "HEAD" && wasSent() ? { answer: 200, code: "", body: "", headers } : undefined,
    );

    await mirror.copyIn(backup, async () => pieces("PGDMP"), never);

    assert.equal(proxy.seen.filter(isGet).length, 1);
  });

  for (const [how, second] of Object.entries({
    "fails on its second page": { answer: 500, code: "InternalError" },
    "repeats its first page": { answer: 200, code: "", body: pageOf("again") },
    "ends without saying where it goes on": { answer: 200, code: "", body: pageOf(undefined) },
  } satisfies Record<string, Fault>))
    it(`takes no listing for whole that ${how}`, async () => {
      await using given = await setUp();
      given.proxy.set(({ path }) => {
        if (!path.includes("list-type=2")) return undefined;
        return path.includes("continuation-token")
          ? second
          : { answer: 200, code: "", body: pageOf("again") };
      });

      await assert.rejects(given.mirror.list(never), { code: "mirror_unreachable" });
    });

  it("takes no listing for whole whose pages lead in a circle", async () => {
    await using given = await setUp();
    given.proxy.set(({ path }) => {
      if (!path.includes("list-type=2")) return undefined;
      const body = pageOf(path.includes("continuation-token=one") ? "two" : "one");
      return { answer: 200, code: "", body };
    });

    await assert.rejects(given.mirror.list(AbortSignal.timeout(60_000)), { code: "mirror_unreachable" });
  });

  it("reports a removal that the store denies, and takes the backup for kept", async () => {
    await using given = await setUp();
    await given.copy();
    given.proxy.set(({ method }) =>
      method === "DELETE" ? { answer: 403, code: "AccessDenied" } : undefined,
    );

    await assert.rejects(given.mirror.remove(given.backup.name, never), {
      code: "mirror_refused",
      hint: /s3:DeleteObject/,
    });

    assert.deepEqual((await given.mirror.list(never)).backups, [given.backup]);
  });

  it("touches no object that is locked", async () => {
    await using given = await setUp();
    await given.copy();
    const deleted = () => given.proxy.seen.filter(({ method }) => method === "DELETE");
    for (const header of [
      { "x-amz-object-lock-legal-hold": "ON" },
      {
        "x-amz-object-lock-mode": "COMPLIANCE",
        "x-amz-object-lock-retain-until-date": "2999-01-01T00:00:00Z",
      },
    ]) {
      given.proxy.set(({ method }) =>
        method === "HEAD" ? { answer: 200, code: "", body: "", headers: header } : undefined,
      );

      assert.equal(await given.mirror.remove(given.backup.name, never), "locked");
    }

    assert.deepEqual(deleted(), []);
  });

  it("does not call removed what a bucket with versions only hides", async () => {
    await using given = await setUp();
    await given.copy();
    given.proxy.set(({ method }) =>
      method === "DELETE"
        ? { answer: 204, code: "", body: "", headers: { "x-amz-delete-marker": "true" } }
        : undefined,
    );

    assert.equal(await given.mirror.remove(given.backup.name, never), "hidden");
  });

  for (const [what, change] of Object.entries({
    "a bucket that does not exist": (bucket: TestBucket) => ({ bucket: `${bucket.settings.bucket}-none` }),
    "a key that the store does not know": () => ({
      credentials: { accessKeyId: "nobody", secretAccessKey: "wrong" },
    }),
  }))
    it(`names ${what}`, async () => {
      await using bucket = await makeBucket(store);
      const mirror = bucketCatalog({ ...bucket.settings, ...change(bucket) });

      await assert.rejects(mirror.list(never), (error: { code: string; message: string }) => {
        assert.equal(error.code, "mirror_refused", error.message);
        assert.doesNotMatch(error.message, /wrong/);
        return true;
      });
    });
});

/** When the request says that it was signed: `20261122T010000Z`. */
function signedAt(headers: Seen["headers"]): number {
  const [date = "", time = ""] = String(headers["x-amz-date"]).split("T");
  const digits = [date.slice(0, 4), date.slice(4, 6), date.slice(6)].join("-");
  return Date.parse(`${digits}T${time.slice(0, 2)}:${time.slice(2, 4)}:${time.slice(4, 6)}Z`);
}

function readDigest(text: string): string {
  return createHash("sha256").update(text).digest("base64");
}

/** The files of a folder that this process has open. */
async function openBelow(folder: string): Promise<string[]> {
  const open = await readdir("/proc/self/fd");
  const paths = await Promise.all(open.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => "")));
  return paths.filter((path) => path.startsWith(folder));
}

function once(meets: (request: Seen) => boolean, fault: Fault): (request: Seen) => Fault | undefined {
  let isLeft = true;
  return (request) => {
    if (!isLeft || !meets(request)) return undefined;
    isLeft = false;
    return fault;
  };
}

function pageOf(token: string | undefined): string {
  const next = token === undefined ? "" : `<NextContinuationToken>${token}</NextContinuationToken>`;
  return `<ListBucketResult><IsTruncated>true</IsTruncated>${next}</ListBucketResult>`;
}
