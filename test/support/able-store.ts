import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, request, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { refusal, sumIn, tagIn, type Answer, type Asked } from "./s3-message.ts";
import { embeddedStore, type OwnStore } from "./s3.ts";
import { uploadBook, type UploadBook } from "./upload-book.ts";

/** What is kept of the requests that pass; objects by `bucket/key`. */
type Books = {
  readonly uploads: UploadBook;
  readonly versioned: Set<string>;
  readonly sums: Map<string, string>;
  readonly locks: Map<string, Readonly<Record<string, string>>>;
  /** Of what was sent in one request. */
  readonly etags: Map<string, string>;
  /** One conditional write after the other: between the look and the write comes no other. */
  readonly conditional: { last: Promise<unknown> };
};

/**
 * The embedded store with what it lacks in front of it: it lists uploads that have begun and their parts, and ends
 * them; compares and keeps SHA-256 sums; writes on a condition (If-Match); only hides what is removed where versions are kept; and tells of locks. The
 * contract for able stores says whether it does so as others do.
 */
export async function ableStore({ pageSize = 1000 } = {}): Promise<OwnStore> {
  const inner = await embeddedStore();
  const sums = new Map<string, string>();
  const uploads = uploadBook(pageSize, (path, sum) => keepSum(sums, path, sum));
  const books: Books = {
    uploads,
    versioned: new Set(),
    sums,
    locks: new Map(),
    etags: new Map(),
    conditional: { last: Promise.resolve() },
  };
  const server = createServer((incoming, outgoing) => {
    answer(books, incoming, inner.port).then(
      ({ status, headers, body }) => outgoing.writeHead(status, headers).end(body),
      () => outgoing.destroy(),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    ...inner,
    port,
    endpoint: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await inner[Symbol.asyncDispose]();
    },
  };
}

async function answer(books: Books, incoming: IncomingMessage, port: number): Promise<Answer> {
  // A request that is cut while it comes throws here, and leaves no trace.
  const asked = parsed(incoming, await buffer(incoming));
  if (asked.method === "PUT" && asked.headers["if-match"] !== undefined)
    return conditionally(books, asked, port);
  return executeRun(books, asked, port);
}

/** A write on the condition that the object is still the one that was read. */
async function conditionally(books: Books, asked: Asked, port: number): Promise<Answer> {
  const write = async (): Promise<Answer> => {
    const etag = books.etags.get(`${asked.bucket}/${asked.key}`);
    if (etag === undefined) return refusal(404, "NoSuchKey");
    if (etag !== asked.headers["if-match"]) return refusal(412, "PreconditionFailed");
    return executeRun(books, asked, port);
  };
  const done = books.conditional.last.then(write);
  books.conditional.last = done.catch(() => undefined);
  return done;
}

async function executeRun(books: Books, asked: Asked, port: number): Promise<Answer> {
  const wrong = sumProblem(asked);
  if (wrong !== undefined) return wrong;
  return (
    (await books.uploads.answer(asked, () => passOn(asked, port))) ??
    settings(books, asked) ??
    told(books, asked, await passOn(asked, port))
  );
}

function parsed({ method = "", url = "", headers }: IncomingMessage, body: Buffer): Asked {
  const { pathname, searchParams: query } = new URL(url, "http://store");
  const [bucket = "", ...rest] = decodeURIComponent(pathname).slice(1).split("/");
  return { method, url, bucket, key: rest.join("/"), query, headers, body };
}

async function passOn({ method, url, headers, body }: Asked, port: number): Promise<Answer> {
  const outgoing = request({ host: "127.0.0.1", port, method, path: url, headers });
  outgoing.end(body);
  const [inner] = (await once(outgoing, "response")) as [IncomingMessage];
  return { status: inner.statusCode ?? 500, headers: inner.headers, body: await buffer(inner) };
}

/** What is set by a request of its own, which the inner store does not know. */
function settings(books: Books, { method, bucket, key, query, body }: Asked): Answer | undefined {
  if (method !== "PUT") return undefined;
  const path = `${bucket}/${key}`;
  const lock = (more: Readonly<Record<string, string>>) =>
    books.locks.set(path, { ...books.locks.get(path), ...more });
  if (query.has("versioning")) books.versioned.add(bucket);
  else if (query.has("legal-hold")) lock({ "x-amz-object-lock-legal-hold": tagIn(body, "Status") });
  else if (query.has("retention"))
    lock({
      "x-amz-object-lock-mode": tagIn(body, "Mode"),
      "x-amz-object-lock-retain-until-date": tagIn(body, "RetainUntilDate"),
    });
  else return undefined;
  return { status: 200, headers: {}, body: "" };
}

/** The inner store's answer and what it does not tell. */
function told(books: Books, asked: Asked, answer: Answer): Answer {
  if (answer.status >= 300) return answer;
  note(books, asked);
  const { etag } = answer.headers;
  if (asked.method === "PUT" && etag !== undefined) books.etags.set(`${asked.bucket}/${asked.key}`, etag);
  if (asked.method === "DELETE") books.etags.delete(`${asked.bucket}/${asked.key}`);
  return { ...answer, headers: { ...answer.headers, ...untold(books, asked, answer.status) } };
}

function note(books: Books, { method, bucket, key, headers }: Asked): void {
  if (method !== "PUT") return;
  if (key !== "") keepSum(books.sums, `${bucket}/${key}`, sumIn(headers));
  // Locks need versions: who makes a bucket with the one has the other.
  else if (headers["x-amz-bucket-object-lock-enabled"] === "true") books.versioned.add(bucket);
}

function untold(books: Books, { method, bucket, key, headers }: Asked, status: number) {
  const path = `${bucket}/${key}`;
  if (method === "DELETE") return books.versioned.has(bucket) ? { "x-amz-delete-marker": "true" } : {};
  if (method !== "HEAD" && method !== "GET") return {};
  const sum = books.sums.get(path);
  // It is the whole object's: it does not go with a part.
  const isTold = sum !== undefined && status === 200 && headers["x-amz-checksum-mode"] === "ENABLED";
  return { ...books.locks.get(path), ...(isTold ? { "x-amz-checksum-sha256": sum } : {}) };
}

function keepSum(sums: Map<string, string>, path: string, sum: string | undefined): void {
  if (sum === undefined) sums.delete(path);
  else sums.set(path, sum);
}

function sumProblem({ headers, body }: Asked): Answer | undefined {
  const sum = sumIn(headers);
  if (sum === undefined || sum === createHash("sha256").update(body).digest("base64")) return undefined;
  return refusal(400, "BadDigest");
}
