import assert from "node:assert/strict";
import { readdir, readlink } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import type { ErrorCode } from "../../../shared/errors.ts";
import type { BucketSettings } from "../../../shared/catalog/bucket/bucket.ts";
import { bucketCatalog } from "../../../shared/catalog/bucket/bucket-catalog.ts";
import { aBackupOf, LARGE } from "../../contracts/mirror.ts";
import { collect } from "../../support/postgres-adapter.ts";
import { proxiedMirror } from "../../support/proxied-mirror.ts";
import { embeddedStore, makeBucket, type OwnStore, type TestBucket } from "../../support/s3.ts";
import type { Fault, Seen } from "../../support/store-proxy.ts";
import { pieces, publish, temporaryVolume } from "../../support/volume.ts";

const never = new AbortController().signal;
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
    const given = await proxiedMirror(store, changes);
    const backup = aBackupOf(LARGE);
    return {
      ...given,
      backup,
      copy: () => given.mirror.copyIn(backup, async () => pieces(LARGE), never),
      /** With all the patience that a busy machine needs. */
      catchUp: () => bucketCatalog(given.bucket.settings).copyIn(backup, async () => pieces(LARGE), never),
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
