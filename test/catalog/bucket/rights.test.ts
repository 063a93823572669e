import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import type { BucketCatalog } from "../../../shared/catalog/catalog.ts";
import { bucketCatalog } from "../../../shared/catalog/bucket/bucket-catalog.ts";
import { aBackupOf, LARGE } from "../../contracts/mirror.ts";
import { ableStore } from "../../support/able-store.ts";
import { collect } from "../../support/postgres-adapter.ts";
import { beginUpload, makeBucket, type OwnStore } from "../../support/s3.ts";
import { storeProxy, type Seen } from "../../support/store-proxy.ts";
import { pieces } from "../../support/volume.ts";

type Statement = {
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource: string;
};
type Policy = { readonly Version: string; readonly Statement: readonly Statement[] };
type Function = "backup" | "cull" | "restore";

const never = new AbortController().signal;
/** What S3 asks for besides, when it is to tell of locks in its answer to HEAD. */
const BY_HEADER = ["s3:GetObjectLegalHold", "s3:GetObjectRetention"];

/** Everything that a function asks of a bucket that has a large backup of the 21st, and a small one of the 22nd. */
const WORK: Readonly<Record<Function, (mirror: BucketCatalog) => Promise<unknown>>> = {
  async backup(mirror) {
    const next = aBackupOf(LARGE, 23);
    await mirror.list(never);
    await mirror.sweepUploads(
      "hets",
      { wanted: new Set([next.name]), over: new Set([aBackupOf(LARGE, 20).name]) },
      never,
    );
    await mirror.copyIn(next, async () => pieces(LARGE), never);
    await mirror.copyIn(aBackupOf(Buffer.from("PGDMP"), 24), async () => pieces("PGDMP"), never);
    await mirror.rewrite(next.manifest, never);
  },
  async cull(mirror) {
    const { name } = aBackupOf(LARGE, 21);
    const { manifest } = aBackupOf(Buffer.from("PGDMP"), 22);
    await mirror.list(never);
    await mirror.find(name, never);
    await mirror.remove(name, never);
    await mirror.finishRemoval(name, LARGE.length, never);
    await mirror.rewrite({ ...manifest, pin: { at: manifest.startedAt, by: "ada" } }, never);
  },
  async restore(mirror) {
    const { name, manifest } = aBackupOf(LARGE, 21);
    await mirror.list(never);
    await mirror.find(name, never);
    await collect(await mirror.open(name, 9 << 20, never));
    await mirror.rewrite(manifest, never);
  },
};

describe("the rights that the document gives", () => {
  let store: OwnStore;
  before(async () => void (store = await ableStore()));
  after(() => store[Symbol.asyncDispose]());

  for (const name of ["backup", "cull", "restore"] as const)
    it(`are what the ${name} function needs, and no more`, async () => {
      await using proxy = await storeProxy(store.port);
      await using bucket = await makeBucket(store, { prefix: "hets" });
      const owner = bucketCatalog(bucket.settings);
      await owner.copyIn(aBackupOf(LARGE, 21), async () => pieces(LARGE), never);
      await owner.copyIn(aBackupOf(Buffer.from("PGDMP"), 22), async () => pieces("PGDMP"), never);
      await beginUpload(bucket, `hets/${aBackupOf(LARGE, 20).name}`);
      await beginUpload(bucket, `hets/${aBackupOf(LARGE, 23).name}`);
      const policy = await readPolicy(name);
      const used = new Set<string>();
      proxy.set((request) => {
        const { action, resource } = askedOf(request, bucket.settings.bucket);
        used.add(action);
        return allows(policy, action, resource) ? undefined : { answer: 403, code: "AccessDenied" };
      });

      await WORK[name](bucketCatalog({ ...bucket.settings, endpoint: proxy.endpoint }));

      const given = policy.Statement.flatMap(({ Action }) => Action).filter(
        (one) => !BY_HEADER.includes(one),
      );
      assert.deepEqual([...used].toSorted(), given.toSorted());
    });
});

async function readPolicy(name: Function): Promise<Policy> {
  const parts = (await readFile("docs/mirror.md", "utf8")).split(/^(?=`\w+` )/m);
  const part = parts.find((text) => text.startsWith(`\`${name}\` `));
  const [, json = ""] = /```json\n(.*?)```/s.exec(part ?? "") ?? [];
  return JSON.parse(json) as Policy;
}

function allows(policy: Policy, action: string, resource: string): boolean {
  return policy.Statement.some(
    ({ Effect, Action, Resource }) =>
      Effect === "Allow" && [Action].flat().includes(action) && matches(Resource, resource),
  );
}

function matches(pattern: string, resource: string): boolean {
  const [start = "", ...ends] = pattern.split("*");
  return ends.length === 0
    ? resource === start
    : resource.startsWith(start) && resource.endsWith(ends.join("*"));
}

/** The right that S3 wants for a request, on what; see its "actions, resources, and condition keys". */
function askedOf({ method, path }: Seen, bucket: string): { action: string; resource: string } {
  const { pathname, searchParams: query } = new URL(path, "http://store");
  const key = decodeURIComponent(pathname).slice(`/${bucket}/`.length);
  const resource = `arn:aws:s3:::dormouse${key === "" ? "" : `/${key}`}`;
  if (key === "")
    return { action: query.has("uploads") ? "s3:ListBucketMultipartUploads" : "s3:ListBucket", resource };
  const ofParts = query.has("uploadId");
  const action = {
    HEAD: "s3:GetObject",
    GET: ofParts ? "s3:ListMultipartUploadParts" : "s3:GetObject",
    PUT: "s3:PutObject",
    POST: "s3:PutObject",
    DELETE: ofParts ? "s3:AbortMultipartUpload" : "s3:DeleteObject",
  }[method];
  return { action: action ?? method, resource };
}
