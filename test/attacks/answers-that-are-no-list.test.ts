import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { bucketCatalog } from "../../shared/catalog/bucket/bucket-catalog.ts";
import { aBackupOf, LARGE } from "../contracts/mirror.ts";
import { ableStore } from "../support/able-store.ts";
import { makeBucket, type OwnStore } from "../support/s3.ts";
import { storeProxy, type Fault, type Seen } from "../support/store-proxy.ts";
import { pieces } from "../support/volume.ts";

const never = new AbortController().signal;
const small = aBackupOf(Buffer.from("PGDMP"));
const large = aBackupOf(LARGE, 23);
const isList = ({ path }: Seen) => path.includes("list-type=2");
const xml = '<?xml version="1.0" encoding="UTF-8"?>\n';
const namespace = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"';

const BODIES: Readonly<Record<string, string>> = {
  "no body": "",
  spaces: " \n",
  text: "OK",
  JSON: '{"files":[]}',
  "a login page": "<!DOCTYPE html><html><body>please sign in</body></html>",
  "the list of all buckets": `${xml}<ListAllMyBucketsResult ${namespace}><Buckets/></ListAllMyBucketsResult>`,
  "another list": `${xml}<ListVersionsResult ${namespace}></ListVersionsResult>`,
  "a name that only begins alike": `${xml}<ListBucketResultV3></ListBucketResultV3>`,
  "a list that was cut": `${xml}<ListBucketResult ${namespace}><Name>b</Name><IsTruncated>false</IsTrunc`,
  "a list cut after its first entry": `${xml}<ListBucketResult ${namespace}><IsTruncated>false</IsTruncated><Contents><Key>${small.name}</Key><Size>5</Size></Contents>`,
  "a list within a page": `<html><ListBucketResult></ListBucketResult></html>`,
};

describe("an answer that is no list", () => {
  let store: OwnStore;
  before(async () => void (store = await ableStore()));
  after(() => store[Symbol.asyncDispose]());

  async function setUp(prefix = "") {
    const [proxy, bucket] = await Promise.all([storeProxy(store.port), makeBucket(store, { prefix })]);
    await bucketCatalog(bucket.settings).copyIn(small, async () => pieces("PGDMP"), never);
    return {
      proxy,
      bucket,
      mirror: bucketCatalog({ ...bucket.settings, endpoint: proxy.endpoint }),
      answer: (meets: (request: Seen) => boolean, fault: Fault) =>
        proxy.set((request) => (meets(request) ? fault : undefined)),
      async [Symbol.asyncDispose]() {
        await bucket[Symbol.asyncDispose]();
        await proxy[Symbol.asyncDispose]();
      },
    };
  }
  const told = (body: string, headers = {}): Fault => ({ answer: 200, code: "", body, headers });
  const isNoAnswer = { code: "mirror_unreachable", hint: /AWS_ENDPOINT_URL_S3/ };

  for (const [what, body] of Object.entries(BODIES))
    it(`is an error and no empty bucket: ${what}`, async () => {
      await using given = await setUp();
      given.answer(isList, told(body));

      await assert.rejects(given.mirror.list(never), isNoAnswer);
      await assert.rejects(given.mirror.find(small.name, never), isNoAnswer);
      await assert.rejects(given.mirror.finishRemoval(small.name, 5, never), isNoAnswer);
    });

  for (const end of ["", "\n", " \r\n\r\n"])
    it(`is an error and no empty bucket, and removes nothing: an error with ${JSON.stringify(end)} behind it`, async () => {
      await using given = await setUp();
      const answered = told(`${xml}<Error><Code>InternalError</Code></Error>${end}`);
      given.answer((request) => isList(request) || request.method === "DELETE", answered);

      await assert.rejects(given.mirror.list(never), {
        code: "mirror_unreachable",
        message: /InternalError/,
      });
      await assert.rejects(given.mirror.remove(small.name, never), { code: "mirror_unreachable" });
    });

  it("may have a declaration, a comment and an empty root", async () => {
    await using given = await setUp();
    given.answer(isList, told(`${xml}<!-- by a gateway --> <ListBucketResult ${namespace}/>\n`));

    assert.deepEqual((await given.mirror.list(never)).backups, []);
  });

  it("is an error where the names are of another question", async () => {
    await using given = await setUp("hets");
    const contents = "<Contents><Key>dev/notes.txt</Key><Size>5</Size></Contents>";
    given.answer(isList, told(`${xml}<ListBucketResult>${contents}</ListBucketResult>`));

    await assert.rejects(given.mirror.list(never), isNoAnswer);
  });

  it("is an error where the archive is listed and its manifest answered by a page of 404", async () => {
    await using given = await setUp();
    given.answer(({ method, path }) => method === "GET" && path.includes(".bak.json"), {
      answer: 404,
      code: "",
      body: "<html>not found</html>",
      headers: { "content-type": "text/html" },
    });

    await assert.rejects(given.mirror.list(never), { code: "mirror_refused" });
  });

  const calls: Readonly<Record<string, (request: Seen) => boolean>> = {
    "the list of uploads": ({ method, path }) => method === "GET" && /[?&]uploads/.test(path),
    "the beginning of an upload": ({ method, path }) => method === "POST" && /[?&]uploads/.test(path),
    "the end of an upload": ({ method, path }) => method === "POST" && path.includes("uploadId"),
    "a manifest that is sent": ({ method, path }) => method === "PUT" && path.includes(".bak.json"),
  };
  for (const [what, meets] of Object.entries(calls))
    it(`is an error for ${what}, and nothing counts as mirrored`, async () => {
      await using given = await setUp();
      given.answer(meets, told("<html><body>please sign in</body></html>"));

      await assert.rejects(
        given.mirror.copyIn(large, async () => pieces(LARGE), never),
        isNoAnswer,
      );

      const { backups } = await bucketCatalog(given.bucket.settings).list(never);
      assert.deepEqual(backups, [small]);
    });

  it("is an error for the parts of an upload, and for a list of uploads without an end", async () => {
    await using given = await setUp();
    const upload = `<Upload><Key>${large.name}</Key><UploadId>u</UploadId></Upload>`;
    const uploads = (more: boolean) =>
      `<ListMultipartUploadsResult><IsTruncated>${more}</IsTruncated>${upload}</ListMultipartUploadsResult>`;
    const copy = () => given.mirror.copyIn(large, async () => pieces(LARGE), never);

    given.proxy.set(({ method, path }) =>
      method !== "GET"
        ? undefined
        : /[?&]uploads/.test(path)
          ? told(uploads(false))
          : path.includes("uploadId")
            ? told("<ListPartsResult><Part>")
            : undefined,
    );
    await assert.rejects(copy(), isNoAnswer);
    given.answer(({ method, path }) => method === "GET" && /[?&]uploads/.test(path), told(uploads(true)));
    await assert.rejects(copy(), { code: "mirror_unreachable", message: /in the middle/ });
  });
});
