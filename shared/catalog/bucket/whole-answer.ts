import { buffer } from "node:stream/consumers";
import type { Readable } from "node:stream";
import type { S3Client } from "@aws-sdk/client-s3";
import { DormouseError } from "../../errors.ts";

/** The root element of each answer that has one, by the API reference of S3. */
const ROOTS: Readonly<Record<string, string>> = {
  ListObjectsV2Command: "ListBucketResult",
  ListMultipartUploadsCommand: "ListMultipartUploadsResult",
  ListPartsCommand: "ListPartsResult",
  CreateMultipartUploadCommand: "InitiateMultipartUploadResult",
  CompleteMultipartUploadCommand: "CompleteMultipartUploadResult",
};
/** An object's own content, or none: what is read is compared with its hash. */
const OBJECTS = new Set(["GetObjectCommand", "HeadObjectCommand"]);
/** A declaration and comments may come first, and S3 sends spaces to keep a slow connection open. */
const BEFORE_ROOT = /^(?:\s|<\?[^>]*\?>|<!--.*?-->)*/s;

type Response = { statusCode: number; headers: Readonly<Record<string, string>>; body?: unknown };

/**
 * The SDK makes an answer without entries of nearly anything: of no body, of a login page, of a list that was cut or is
 * another one. Each would count as an empty bucket. Here the body itself is looked at, for every request of a client.
 */
export function refuseOtherAnswers(client: S3Client): void {
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const result = await next(args);
      await checkAnswer(String(context["commandName"]), result.response as Response);
      return result;
    },
    // Nearest to the connection: before the SDK has made anything of the answer.
    { step: "deserialize", priority: "low", name: "refuseOtherAnswers" },
  );
}

async function checkAnswer(command: string, response: Response): Promise<void> {
  // Any other status is an error already.
  if (response.statusCode < 200 || response.statusCode >= 300 || OBJECTS.has(command)) return;
  const bytes = await toBytes(response.body);
  const text = Buffer.from(bytes).toString("utf8").replace(BEFORE_ROOT, "").trimEnd();
  const root = ROOTS[command];
  // What S3 says of an error that came after the status is the SDK's to read, which looks for it at the very end.
  const isError = /^<Error[\s>].*<\/Error>$/s.test(text);
  response.body = isError ? Buffer.from(text) : bytes;
  if (isError) return;
  if (root === undefined ? !/^<(?:!doctype\s+)?html/i.test(text) : isWhole(text, root)) return;
  throw noAnswer(command.replace(/Command$/, ""), text);
}

function isWhole(text: string, root: string): boolean {
  return new RegExp(`^<${root}[\\s>/]`).test(text) && (text.endsWith(`</${root}>`) || isEmpty(text, root));
}

function isEmpty(text: string, root: string): boolean {
  return new RegExp(`^<${root}\\b[^>]*/>$`).test(text);
}

async function toBytes(body: unknown): Promise<Uint8Array> {
  if (body === undefined) return Buffer.alloc(0);
  return body instanceof Uint8Array ? body : buffer(body as Readable);
}

function noAnswer(asked: string, text: string): DormouseError {
  const [, root] = /^<(?:!doctype\s+)?([\w:.-]+)/i.exec(text) ?? [];
  const is = text === "" ? "is empty" : root === undefined ? "is no XML" : `is <${root}>, or was cut`;
  return new DormouseError("mirror_unreachable", `the answer to ${asked} ${is}: no answer of an S3 store`, {
    hint: "check AWS_ENDPOINT_URL_S3 and what lies between: a proxy, a login page, another port of the store",
  });
}
