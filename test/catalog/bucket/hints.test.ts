import assert from "node:assert/strict";
import { createServer as createTcpServer } from "node:net";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import type { DormouseError } from "../../../shared/errors.ts";
import type { BucketSettings } from "../../../shared/catalog/bucket/bucket.ts";
import { bucketCheck } from "../../../shared/doctor/check-bucket.ts";
import { bucketCatalog } from "../../../shared/catalog/bucket/bucket-catalog.ts";
import { aBackupOf } from "../../contracts/mirror.ts";
import { ableStore } from "../../support/able-store.ts";
import { makeBucket, type OwnStore } from "../../support/s3.ts";
import { storeProxy, type Fault, type Seen } from "../../support/store-proxy.ts";
import { pieces } from "../../support/volume.ts";

const never = new AbortController().signal;
const backup = aBackupOf(Buffer.from("PGDMP"));
const any = () => true;
const isPut = ({ method }: Seen) => method === "PUT";
const isHead = ({ method }: Seen) => method === "HEAD";
const isGet = ({ method, path }: Seen) => method === "GET" && path.includes(".bak");
const page = { code: "", body: "<html>no</html>", headers: { "content-type": "text/html" } };
const malformed =
  "<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region 'us-east-1' is wrong; expecting 'eu-central-1'</Message></Error>";
const kms =
  "<Error><Code>AccessDenied</Code><Message>User: arn:aws:iam::1:user/b is not authorized to perform: kms:GenerateDataKey on the resource</Message></Error>";
const checksum =
  "<Error><Code>NotImplemented</Code><Message>Header x-amz-checksum-crc32 not implemented</Message></Error>";
const locked =
  "<Error><Code>InvalidRequest</Code><Message>Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters</Message></Error>";

type Row = readonly [what: string, meets: (request: Seen) => boolean, fault: Fault, hint: RegExp];

const ROWS: readonly Row[] = [
  ["a wrong region", any, { answer: 400, code: "", body: malformed }, /AWS_REGION.*eu-central-1/],
  ["a region that the store has not", any, { answer: 400, code: "InvalidRegionName" }, /AWS_REGION/],
  [
    "a bucket of another region",
    any,
    { answer: 301, code: "PermanentRedirect", headers: { "x-amz-bucket-region": "ca-central-1" } },
    /AWS_ENDPOINT_URL_S3.*ca-central-1/,
  ],
  ["a bucket that moves", any, { answer: 307, code: "TemporaryRedirect" }, /AWS_ENDPOINT_URL_S3/],
  ["HEAD 403", isHead, { answer: 403, code: "", body: "" }, /s3:GetObject/],
  ["HEAD 400", isHead, { answer: 400, code: "", body: "" }, /AWS_REGION/],
  ["an archived manifest", isGet, { answer: 403, code: "InvalidObjectState" }, /S3_STORAGE_CLASS/],
  ["a class that is unknown", isPut, { answer: 400, code: "InvalidStorageClass" }, /S3_STORAGE_CLASS/],
  ["a full quota of Ceph", isPut, { answer: 403, code: "QuotaExceeded" }, /quota.*S3_NUM_BACKUPS/],
  ["a full store of MinIO", isPut, { answer: 507, code: "XMinioStorageFull" }, /S3_NUM_BACKUPS/],
  ["a key that is disabled", isPut, { answer: 403, code: "KMS.DisabledException" }, /kms:GenerateDataKey/],
  ["a key that may not be used", isPut, { answer: 400, code: "KMSInvalidStateException" }, /kms:Decrypt/],
  ["a key that AWS denies", isPut, { answer: 403, code: "", body: kms }, /^give the key of S3_SSE back/],
  ["an expired token", any, { answer: 400, code: "ExpiredToken" }, /session token/],
  ["an unknown key", any, { answer: 403, code: "InvalidAccessKeyId" }, /AWS_ACCESS_KEY_ID/],
  ["a wrong secret", any, { answer: 403, code: "SignatureDoesNotMatch" }, /AWS_SECRET_ACCESS_KEY/],
  ["no bucket", any, { answer: 404, code: "NoSuchBucket" }, /S3_BUCKET/],
  ["a list that is denied", any, { answer: 403, code: "AccessDenied" }, /s3:ListBucket/],
  ["an object that is denied", isPut, { answer: 403, code: "AccessDenied" }, /s3:PutObject/],
  ["a closed account", any, { answer: 403, code: "AllAccessDisabled" }, /account/],
  ["checksums that are unknown", isPut, { answer: 501, code: "", body: checksum }, /S3_CHECKSUMS/],
  ["no checksum for a lock", isPut, { answer: 400, code: "", body: locked }, /S3_CHECKSUMS=when-supported/],
  ["a firewall's page", any, { answer: 403, ...page }, /AWS_ENDPOINT_URL_S3.*firewall/],
  ["an unknown code", any, { answer: 400, code: "SomethingNew" }, /docs\/mirror\.md/],
];

describe("what a store refuses", () => {
  let store: OwnStore;
  before(async () => void (store = await ableStore()));
  after(() => store[Symbol.asyncDispose]());

  async function setUp(changes: Partial<BucketSettings> = {}) {
    const [proxy, bucket] = await Promise.all([storeProxy(store.port), makeBucket(store)]);
    const settings = { ...bucket.settings, endpoint: proxy.endpoint, stallMs: 2_000, ...changes };
    return {
      proxy,
      bucket,
      settings,
      /** What a backup run does with the bucket. */
      async work(): Promise<void> {
        const mirror = bucketCatalog(settings);
        await mirror.list(never);
        await mirror.copyIn(backup, async () => pieces("PGDMP"), never);
        await mirror.list(never);
      },
      async [Symbol.asyncDispose]() {
        await bucket[Symbol.asyncDispose]();
        await proxy[Symbol.asyncDispose]();
      },
    };
  }

  for (const [what, meets, fault, hint] of ROWS)
    it(`is reported with the variable or the right: ${what}`, async () => {
      await using given = await setUp();
      given.proxy.set((request) => (meets(request) ? fault : undefined));

      await assert.rejects(given.work(), (error: DormouseError) => {
        assert.match(error.hint ?? "", hint);
        assert.match(error.code, /^mirror_(?:refused|unreachable)$/);
        assert.doesNotMatch(error.message, /Unknown|\$response|--use-system-ca/);
        return true;
      });
    });

  const lines: Readonly<Record<string, readonly [Partial<BucketSettings>, RegExp]>> = {
    "a host that does not exist": [
      { endpoint: "http://store.invalid", forcePathStyle: false },
      /S3_FORCE_PATH_STYLE/,
    ],
    "a port on which nothing listens": [{ endpoint: "http://127.0.0.1:9" }, /host and port/],
    "s3:// before the bucket": [{ bucket: "s3://hets" }, /S3_BUCKET/],
    "a key with a line break": [
      { credentials: { accessKeyId: "key\n", secretAccessKey: "secret" } },
      /AWS_ACCESS_KEY_ID/,
    ],
  };
  for (const [what, [changes, hint]] of Object.entries(lines))
    it(`is reported with the variable: ${what}`, async () => {
      await using given = await setUp(changes);

      await assert.rejects(given.work(), (error: DormouseError) => {
        assert.match(error.hint ?? "", hint, error.message);
        return true;
      });
    });

  it("is reported with the variable: https to a port that speaks http", async () => {
    await using given = await setUp();
    const endpoint = given.proxy.endpoint.replace("http:", "https:");

    await assert.rejects(bucketCatalog({ ...given.settings, endpoint }).list(never), {
      hint: /http:\/\//,
    });
  });

  it("is reported with the variable: http to a port that closes without an answer", async () => {
    const server = createTcpServer((socket) => socket.once("data", () => socket.destroy()));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    await using given = await setUp({
      endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    });

    await assert.rejects(given.work(), { hint: /https/ });

    server.close();
  });
});

describe("the examination of a bucket", () => {
  let store: OwnStore;
  before(async () => void (store = await ableStore()));
  after(() => store[Symbol.asyncDispose]());

  const asked: readonly (readonly [right: string, meets: (request: Seen) => boolean])[] = [
    ["s3:ListBucket", ({ path }) => path.includes("list-type=2")],
    ["s3:PutObject", ({ method }) => method === "PUT"],
    ["s3:GetObject", ({ method }) => method === "GET" || method === "HEAD"],
    ["s3:ListBucketMultipartUploads", ({ method, path }) => method === "GET" && /[?&]uploads/.test(path)],
    ["s3:PutObject", ({ method, path }) => method === "POST" && /[?&]uploads/.test(path)],
    ["s3:ListMultipartUploadParts", ({ method, path }) => method === "GET" && path.includes("uploadId")],
    ["s3:AbortMultipartUpload", ({ method, path }) => method === "DELETE" && path.includes("uploadId")],
  ];
  for (const [right, meets] of asked)
    it(`of a backup names the right that is lacking: ${right}`, async () => {
      await using proxy = await storeProxy(store.port);
      await using bucket = await makeBucket(store, { prefix: "hets" });
      proxy.set((request) => (meets(request) ? { answer: 403, code: "AccessDenied" } : undefined));

      const settings = { ...bucket.settings, endpoint: proxy.endpoint };
      const findings = await bucketCheck(settings, "backup").run(never);

      const faults = findings.filter(({ state }) => state === "fault");
      assert.ok(faults.length > 0, JSON.stringify(findings));
      assert.ok(
        faults.some(({ fix }) => fix?.includes(right)),
        JSON.stringify(faults),
      );
    });

  it("of a backup finds nothing where all is allowed but the removal, and leaves no upload", async () => {
    await using proxy = await storeProxy(store.port);
    await using bucket = await makeBucket(store, { prefix: "hets" });
    proxy.set(({ method, path }) =>
      method === "DELETE" && !path.includes("uploadId") ? { answer: 403, code: "AccessDenied" } : undefined,
    );

    const findings = await bucketCheck({ ...bucket.settings, endpoint: proxy.endpoint }, "backup").run(never);

    assert.deepEqual(
      findings.map(({ state }) => state),
      ["good"],
    );
    assert.match(
      findings[0]?.detail ?? "",
      /list, put, head, get, list of uploads, multipart and abort work/,
    );
    assert.deepEqual(await bucket.keys(), ["hets/doctor-backup.bak.json"]);
  });
});
