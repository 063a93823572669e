import assert from "node:assert/strict";
import { it } from "node:test";
import { UploadPartCommand } from "@aws-sdk/client-s3";
import { bucketCatalog } from "../../../shared/catalog/bucket/bucket-catalog.ts";
import { aBackupOf, LARGE } from "../../contracts/mirror.ts";
import { ableStore } from "../../support/able-store.ts";
import { proxiedMirror } from "../../support/proxied-mirror.ts";
import { beginUpload, embeddedStore, makeBucket } from "../../support/s3.ts";
import { watchSdk } from "../../support/sdk-requests.ts";
import { pieces } from "../../support/volume.ts";

/** Far more than a loaded machine needs for the first page. */
const PATIENCE_MS = 120_000;
const never = new AbortController().signal;

it("ends every unwanted upload, on whatever page the store lists it", async () => {
  await using store = await ableStore({ pageSize: 2 });
  await using bucket = await makeBucket(store);
  const [first, second, third] = [21, 22, 23].map((day) => aBackupOf(LARGE, day).name);
  assert.ok(first && second && third);
  for (const key of [second, second, second, first, third]) await beginUpload(bucket, key);
  const uploads = { wanted: new Set<never>(), over: new Set([first, second, third]) };

  assert.equal(await bucketCatalog(bucket.settings).sweepUploads("hets", uploads, never), 5);
});

it("continues an upload whose parts the store lists on several pages", async () => {
  await using store = await ableStore({ pageSize: 1 });
  await using bucket = await makeBucket(store);
  const backup = aBackupOf(LARGE);
  const Key = backup.name;
  const upload = { Bucket: bucket.settings.bucket, Key, UploadId: await beginUpload(bucket, Key) };
  for (const PartNumber of [1, 2]) {
    const Body = LARGE.subarray((PartNumber - 1) << 23, PartNumber << 23);
    await bucket.client.send(new UploadPartCommand({ ...upload, PartNumber, Body }));
  }
  using sdk = watchSdk();

  await bucketCatalog(bucket.settings).copyIn(backup, async () => pieces(LARGE), never);

  assert.equal(sdk.seen().filter(({ path }) => path.includes("partNumber")).length, 1);
});

it("asks for no list of uploads without end whose pages lead in a circle", async () => {
  await using store = await embeddedStore();
  await using given = await proxiedMirror(store);
  given.proxy.set(({ path }) => {
    const next = path.includes("key-marker=one") ? "two" : "one";
    const body = `<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>${next}</NextKeyMarker></ListMultipartUploadsResult>`;
    return { answer: 200, code: "", body };
  });
  const uploads = { wanted: new Set<never>(), over: new Set<never>() };

  await assert.rejects(given.mirror.sweepUploads("hets", uploads, AbortSignal.timeout(PATIENCE_MS)), {
    code: "mirror_unreachable",
    message: /ended a list of uploads in the middle/,
  });
});

it("gets the list of a store that first answers 500, also where it is waited for no longer than for a word", async () => {
  await using store = await embeddedStore();
  await using given = await proxiedMirror(store);
  const { proxy, mirror } = given;
  const backup = aBackupOf(LARGE);
  await mirror.copyIn(backup, async () => pieces(LARGE), never);
  const isList = ({ path }: { readonly path: string }) => path.includes("list-type=2");
  const listed = () => proxy.seen.filter(isList).length;
  const before = listed();
  proxy.set((request) =>
    isList(request) && listed() === before + 1 ? { answer: 500, code: "InternalError" } : undefined,
  );

  const { backups } = await mirror.list(never, PATIENCE_MS);

  assert.deepEqual(backups, [backup]);
  assert.equal(listed(), before + 2);
});
