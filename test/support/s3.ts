import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { once } from "node:events";
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

/** What the proxy does with one request instead of passing it on. */
export type Fault =
  | {
      readonly answer: number;
      readonly code: string;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    }
  /** Resets the connection when so many bytes of the request's body have come. */
  | { readonly resetAfterBytes: number }
  /** Never answers. */
  | { readonly stall: true }
  /** Passes the answer with one byte of its body changed. */
  | { readonly corrupt: true }
  /** Resets the connection when so many bytes of the answer's body have passed. */
  | { readonly cutAnswerAfterBytes: number }
  /** Passes the answer when this has. */
  | { readonly answerAfterMs: number }
  /** Passes the answer with these headers instead of its own. */
  | { readonly withHeaders: Readonly<Record<string, string>> };

export type Seen = {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
};

export type StoreProxy = {
  readonly endpoint: string;
  readonly seen: readonly Seen[];
  /** Asked for each request; `undefined` passes it on. */
  set(rule: (request: Seen) => Fault | undefined): void;
  [Symbol.asyncDispose](): Promise<void>;
};

/** Stands between a client and a store, and breaks what it is told to. */
export async function storeProxy(targetPort: number): Promise<StoreProxy> {
  const seen: Seen[] = [];
  let rule: (request: Seen) => Fault | undefined = () => undefined;
  const server = createServer((incoming, answer) => {
    const { method = "", url: path = "", headers } = incoming;
    const one = { method, path, headers };
    seen.push(one);
    const fault = rule(one);
    if (fault === undefined || isPassing(fault)) pass(incoming, answer, targetPort, fault);
    else breakOff(incoming, answer, fault);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    endpoint: `http://127.0.0.1:${portOf(server)}`,
    seen,
    set: (next) => void (rule = next),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

type Passing = Extract<
  Fault,
  | { readonly corrupt: true }
  | { readonly cutAnswerAfterBytes: number }
  | { readonly answerAfterMs: number }
  | { readonly withHeaders: object }
>;
type Broken = Exclude<Fault, Passing>;

function isPassing(fault: Fault): fault is Passing {
  return ["corrupt", "cutAnswerAfterBytes", "answerAfterMs", "withHeaders"].some((kind) => kind in fault);
}

function breakOff(incoming: IncomingMessage, answer: ServerResponse, fault: Broken): void {
  if ("answer" in fault) {
    const {
      code,
      headers = {},
      body = `<Error><Code>${code}</Code><Message>made by the test</Message></Error>`,
    } = fault;
    incoming.resume().on("end", () => {
      answer.writeHead(fault.answer, { "content-type": "application/xml", ...headers }).end(body);
    });
  } else if ("resetAfterBytes" in fault) {
    let read = 0;
    incoming.on("data", (chunk: Buffer) => {
      read += chunk.length;
      if (read >= fault.resetAfterBytes) incoming.socket.resetAndDestroy();
    });
  } else {
    incoming.resume();
  }
}

function pass(
  incoming: IncomingMessage,
  answer: ServerResponse,
  port: number,
  fault: Passing | undefined,
): void {
  const { method, url: path, headers } = incoming;
  const waitMs = fault !== undefined && "answerAfterMs" in fault ? fault.answerAfterMs : 0;
  const outgoing = request({ host: "127.0.0.1", port, method, path, headers }, (inner) => {
    setTimeout(() => passAnswer(inner, answer, fault), waitMs);
  });
  outgoing.on("error", () => answer.destroy());
  incoming.on("error", () => outgoing.destroy());
  incoming.pipe(outgoing);
}

function passAnswer(inner: IncomingMessage, answer: ServerResponse, fault: Passing | undefined): void {
  const headers = fault !== undefined && "withHeaders" in fault ? fault.withHeaders : {};
  answer.writeHead(inner.statusCode ?? 500, { ...inner.headers, ...headers });
  let passed = 0;
  inner.on("data", (chunk: Buffer) => {
    if (fault !== undefined && "corrupt" in fault && passed === 0) chunk[0] = (chunk[0] ?? 0) ^ 1;
    passed += chunk.length;
    answer.write(chunk);
    if (fault !== undefined && "cutAnswerAfterBytes" in fault && passed >= fault.cutAnswerAfterBytes)
      answer.socket?.resetAndDestroy();
  });
  inner.on("end", () => answer.end());
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
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
