import { createHash } from "node:crypto";
import { refusal, sumIn, tagIn, type Answer, type Asked } from "./s3-message.ts";

type Part = {
  readonly number: number;
  readonly etag: string;
  readonly size: number;
  readonly sum: string | undefined;
};
type Upload = {
  readonly bucket: string;
  readonly key: string;
  readonly id: string;
  readonly begun: Date;
  readonly parts: Map<number, Part>;
};

export type UploadBook = {
  /** `undefined` where it is not about uploads in parts. */
  answer(asked: Asked, passOn: () => Promise<Answer>): Promise<Answer | undefined>;
};

/** Keeps book of the uploads in parts that pass, and answers what a store answers that keeps it itself. */
export function uploadBook(
  pageSize: number,
  keepSum: (path: string, sum: string | undefined) => void,
): UploadBook {
  const uploads = new Map<string, Upload>();

  async function begin({ bucket, key }: Asked, passOn: () => Promise<Answer>): Promise<Answer> {
    const answer = await passOn();
    const id = tagIn(answer.body, "UploadId");
    if (id !== "") uploads.set(id, { bucket, key, id, begun: new Date(), parts: new Map() });
    return answer;
  }

  async function add(upload: Upload, asked: Asked, passOn: () => Promise<Answer>): Promise<Answer> {
    const answer = await passOn();
    const number = Number(asked.query.get("partNumber"));
    const { etag = "" } = answer.headers;
    const part = { number, etag, size: asked.body.length, sum: sumIn(asked.headers) };
    if (answer.status === 200) upload.parts.set(number, part);
    return answer;
  }

  async function complete(upload: Upload, { body }: Asked, passOn: () => Promise<Answer>): Promise<Answer> {
    const named = [...String(body).matchAll(/<Part>.*?<\/Part>/gs)].map(([part]) => part);
    const parts = named.map((part) => upload.parts.get(Number(tagIn(part, "PartNumber"))));
    const sums = parts.map((part) => part?.sum);
    const isAsNamed = named.every((part, at) => tagIn(part, "ChecksumSHA256") === (sums[at] ?? ""));
    if (!isAsNamed) return refusal(400, "InvalidPart");
    const answer = await passOn();
    if (answer.status !== 200) return answer;
    uploads.delete(upload.id);
    keepSum(`${upload.bucket}/${upload.key}`, hashParts(sums));
    return answer;
  }

  function listUploads({ bucket, query }: Asked): Answer {
    const prefix = query.get("prefix") ?? "";
    const [key, id] = [query.get("key-marker") ?? "", query.get("upload-id-marker") ?? ""];
    const found = [...uploads.values()]
      .filter((upload) => upload.bucket === bucket && upload.key.startsWith(prefix))
      .toSorted((a, b) => compare(a.key, b.key) || compare(a.id, b.id))
      .filter((upload) => (compare(upload.key, key) || compare(upload.id, id)) > 0);
    const page = found.slice(0, Number(query.get("max-uploads") ?? pageSize));
    return listing("ListMultipartUploadsResult", page.length < found.length, [
      ...page.map(({ key: Key, id: UploadId, begun }) =>
        element("Upload", { Key, UploadId, Initiated: begun.toISOString() }),
      ),
      elements({ NextKeyMarker: page.at(-1)?.key ?? "", NextUploadIdMarker: page.at(-1)?.id ?? "" }),
    ]);
  }

  function listParts({ parts }: Upload, { query }: Asked): Answer {
    const found = [...parts.values()]
      .toSorted((a, b) => a.number - b.number)
      .filter(({ number }) => number > Number(query.get("part-number-marker") ?? 0));
    const page = found.slice(0, Number(query.get("max-parts") ?? pageSize));
    return listing("ListPartsResult", page.length < found.length, [
      ...page.map(({ number, etag, size }) =>
        element("Part", { PartNumber: `${number}`, ETag: etag, Size: `${size}` }),
      ),
      elements({ NextPartNumberMarker: `${page.at(-1)?.number ?? 0}` }),
    ]);
  }

  return {
    async answer(asked, passOn) {
      const { method, query } = asked;
      if (query.has("uploads")) return method === "POST" ? begin(asked, passOn) : listUploads(asked);
      const id = query.get("uploadId");
      if (id === null) return undefined;
      const upload = uploads.get(id);
      if (upload === undefined) return refusal(404, "NoSuchUpload");
      if (method === "PUT") return add(upload, asked, passOn);
      if (method === "POST") return complete(upload, asked, passOn);
      if (method === "GET") return listParts(upload, asked);
      uploads.delete(id);
      return { status: 204, headers: {}, body: "" };
    },
  };
}

/** S3's checksum of an object in parts: the hash of the parts' hashes, and their number. */
function hashParts(sums: readonly (string | undefined)[]): string | undefined {
  if (sums.includes(undefined)) return undefined;
  const all = Buffer.concat(sums.map((sum) => Buffer.from(sum ?? "", "base64")));
  return `${createHash("sha256").update(all).digest("base64")}-${sums.length}`;
}

function listing(tag: string, isTruncated: boolean, contents: readonly string[]): Answer {
  const body = `<${tag}>${elements({ IsTruncated: `${isTruncated}` })}${contents.join("")}</${tag}>`;
  return { status: 200, headers: { "content-type": "application/xml" }, body };
}

function element(tag: string, children: Readonly<Record<string, string>>): string {
  return `<${tag}>${elements(children)}</${tag}>`;
}

function elements(children: Readonly<Record<string, string>>): string {
  return Object.entries(children)
    .map(([tag, text]) => `<${tag}>${text.replaceAll("&", "&amp;").replaceAll("<", "&lt;")}</${tag}>`)
    .join("");
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
