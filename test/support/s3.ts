import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  S3Client,
  type CreateBucketCommandInput,
} from "@aws-sdk/client-s3";
import S3rver from "s3rver";
import type { BucketSettings } from "../../shared/catalog/bucket/bucket.ts";
import { keepObjectsWhole } from "./whole-objects.ts";

/** An S3 store and how to speak to it. */
export type Store = {
  readonly endpoint: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly region: string;
};

export type OwnStore = Store & { readonly port: number; [Symbol.asyncDispose](): Promise<void> };

/** An S3 server of this process, on files in a temporary folder. What it lacks, `ableStore` has. */
export async function embeddedStore(): Promise<OwnStore> {
  const directory = await mkdtemp(join(tmpdir(), "dormouse-s3-"));
  const place = { port: 0, address: "127.0.0.1", directory };
  const server = keepObjectsWhole(new S3rver({ ...place, silent: true, vhostBuckets: false }));
  const { port } = await server.run();
  return {
    port,
    endpoint: `http://127.0.0.1:${port}`,
    credentials: { accessKeyId: "S3RVER", secretAccessKey: "S3RVER" },
    region: "us-east-1",
    async [Symbol.asyncDispose]() {
      await server.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** The store that DORMOUSE_TEST_S3_ENDPOINT names, reached with the SDK's own variables. */
export function givenStore(): Store | undefined {
  const endpoint = process.env["DORMOUSE_TEST_S3_ENDPOINT"];
  if (endpoint === undefined) return undefined;
  const accessKeyId = process.env["AWS_ACCESS_KEY_ID"] ?? "";
  const secretAccessKey = process.env["AWS_SECRET_ACCESS_KEY"] ?? "";
  return {
    endpoint,
    credentials: { accessKeyId, secretAccessKey },
    region: process.env["AWS_REGION"] ?? "us-east-1",
  };
}

export type TestBucket = {
  readonly client: S3Client;
  readonly settings: BucketSettings;
  keys(): Promise<string[]>;
  [Symbol.asyncDispose](): Promise<void>;
};

/** A new bucket, emptied and removed at the end. `endpoint` may be that of a proxy. */
export async function makeBucket(
  store: Store,
  changes: Partial<BucketSettings> = {},
  kind: Omit<CreateBucketCommandInput, "Bucket"> = {},
): Promise<TestBucket> {
  const bucket = `dormouse-${randomUUID().slice(0, 13)}`;
  const { endpoint, credentials, region } = store;
  const client = new S3Client({
    endpoint,
    credentials,
    region,
    forcePathStyle: true,
    requestChecksumCalculation: "WHEN_REQUIRED",
  });
  await client.send(new CreateBucketCommand({ Bucket: bucket, ...kind }));
  const keys = async () => {
    const { Contents } = await client.send(new ListObjectsV2Command({ Bucket: bucket }));
    return (Contents ?? []).map(({ Key = "" }) => Key);
  };
  return {
    client,
    settings: {
      bucket,
      prefix: "",
      endpoint,
      credentials,
      region,
      forcePathStyle: true,
      checksums: "when-required",
      stallMs: 20_000,
      ...changes,
    },
    keys,
    async [Symbol.asyncDispose]() {
      for (const Key of await keys()) await client.send(new DeleteObjectCommand({ Bucket: bucket, Key }));
      // A bucket that keeps versions is not empty yet; the owner of the store clears it up.
      await client.send(new DeleteBucketCommand({ Bucket: bucket })).catch(() => undefined);
      client.destroy();
    },
  };
}

export async function beginUpload({ client, settings }: TestBucket, key: string): Promise<string> {
  const begun = await client.send(new CreateMultipartUploadCommand({ Bucket: settings.bucket, Key: key }));
  return begun.UploadId ?? "";
}

export async function uploadsIn({ client, settings }: TestBucket) {
  return (await client.send(new ListMultipartUploadsCommand({ Bucket: settings.bucket }))).Uploads ?? [];
}

/** The environment of a function that mirrors into `bucket`. */
export function mirrorEnvironment({ settings }: TestBucket, endpoint = settings.endpoint) {
  return {
    S3_BUCKET: settings.bucket,
    S3_PREFIX: settings.prefix === "" ? "/" : settings.prefix,
    AWS_ENDPOINT_URL_S3: endpoint ?? "",
    AWS_ACCESS_KEY_ID: settings.credentials?.accessKeyId ?? "",
    AWS_SECRET_ACCESS_KEY: settings.credentials?.secretAccessKey ?? "",
  };
}
