import type { S3Client } from "@aws-sdk/client-s3";
import { DormouseError, type ErrorCode } from "../../errors.ts";
import { hintFor, KMS_HINT, REFUSED_HINT, RIGHTS, WAIT_HINT } from "./s3-hints.ts";

/** What an S3 store, the SDK or Node throws, as far as it is read here. */
type Thrown = {
  readonly name?: string;
  /** Of Node. */
  readonly code?: string;
  readonly message?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> };
  /** Which request it was; see `nameCommands`. */
  readonly command?: string;
};

/** What the SDK calls an answer without a code: to HEAD, which has no body, and of what is no S3 store. */
const NAMELESS = /^(?:Unknown|UnknownError|Error|Forbidden|BadRequest|\d+)$/;
/** AWS denies in the words of S3 what the key may not do with that by which the bucket encrypts. */
const OF_KMS = /\bkms:[A-Z]/;
/** Advice that Node and the SDK add for programmers. */
const ASIDES = /; if the root CA is installed locally[^]*|\s*Deserialization error: to see[^]*|\s*\n[^]*/;

/** Lets each error of a client bear its command, by which its hint names the right. */
export function nameCommands(client: S3Client): void {
  client.middlewareStack.add(
    (next, context) => async (args) => {
      try {
        return await next(args);
      } catch (error) {
        if (error instanceof Error) Object.assign(error, { command: context["commandName"] });
        throw error;
      }
    },
    { step: "initialize", name: "nameCommands" },
  );
}

/** Worded once for the whole folder. `doing` is like `listing the bucket`. An abort and our own errors pass unchanged. */
export function s3Error(error: unknown, doing: string, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof DormouseError) return error;
  return new DormouseError(readCode(error), `${doing} failed: ${toText(error)}`, {
    hint: chooseHint(error),
    cause: error,
  });
}

function toText(error: unknown): string {
  const { name = "", message = "" } = error as Thrown;
  if (isNoWordOfS3(error)) return `the answer was HTTP ${readStatus(error)} and no word of an S3 store`;
  const said = message.replace(ASIDES, "");
  return [name === "Error" ? "" : name, said].filter((text) => text !== "").join(": ");
}

/** An answer without a code, or one that the SDK could not read although it says that all is well. */
function isNoWordOfS3(error: unknown): boolean {
  const status = readStatus(error);
  return status !== undefined && (status < 300 || NAMELESS.test((error as Thrown).name ?? ""));
}

function chooseHint(error: unknown): string {
  const { command = "", message = "" } = error as Thrown;
  if (OF_KMS.test(message)) return KMS_HINT;
  const right = RIGHTS[command];
  if (isDenied(error) && right !== undefined)
    return `allow ${right} to the key, or check AWS_ACCESS_KEY_ID; docs/mirror.md has the policy of each function`;
  const region = regionIn(error as Thrown);
  const known = knownHint(error as Thrown);
  if (known !== undefined) return region === undefined ? known : `${known}: ${region}`;
  if (isNoWordOfS3(error)) return BETWEEN;
  return readCode(error) === "mirror_unreachable" ? WAIT_HINT : REFUSED_HINT;
}

/** Of the store by its code, else by the status; of Node by its code. */
function knownHint(error: Thrown): string | undefined {
  const { name = "", code = "", message = "" } = error;
  const ofStore = NAMELESS.test(name) ? code || String(readStatus(error)) : name;
  return hintFor(ofStore, message) ?? hintFor(code, "");
}

/** Where the store says that the bucket lies. */
function regionIn({ message = "", $response }: Thrown): string | undefined {
  return $response?.headers?.["x-amz-bucket-region"] ?? /expecting '([\w-]+)'/.exec(message)?.[1];
}

const BETWEEN =
  "check AWS_ENDPOINT_URL_S3, AWS_REGION and the key, and what lies between: a proxy, a firewall";

export function isMissing(error: unknown): boolean {
  return readStatus(error) === 404 && (error as Thrown).name !== "NoSuchBucket";
}

/** The store itself says that there is no such object: a 404 of anything else in between would hide a backup. */
export function isGone(error: unknown): boolean {
  return isMissing(error) && (error as Thrown).name === "NoSuchKey";
}

export function goneFromBucket(name: string): DormouseError {
  return new DormouseError("backup_not_found", `there is no backup ${JSON.stringify(name)} in the bucket`, {
    hint: "another client removed it",
  });
}

/** The key is known, and may not do this. To HEAD a store gives no reason. */
export function isDenied(error: unknown): boolean {
  if (readStatus(error) !== 403) return false;
  const { name = "", command } = error as Thrown;
  return name === "AccessDenied" || (command === "HeadObjectCommand" && NAMELESS.test(name));
}

/** The store may have done what it was asked to: it did not answer, or had done so before a second request. */
export function mayHaveSucceeded(error: unknown): boolean {
  return readCode(error) === "mirror_unreachable" || (error as Thrown).name === "NoSuchUpload";
}

/** Another has replaced the object since it was read, or is doing so. */
export function isUnmatched(error: unknown): boolean {
  return readStatus(error) === 412 || readStatus(error) === 409;
}

/** Many stores leave out calls that only some callers need. */
export function isUnsupported(error: unknown): boolean {
  const status = readStatus(error);
  return status === 405 || status === 501 || (error as Thrown).name === "NotImplemented";
}

function readCode(error: unknown): ErrorCode {
  const status = readStatus(error);
  if ((error as Thrown).name === "CredentialsProviderError") return "mirror_refused";
  return status === undefined || status < 300 || status >= 500 || status === 408 || status === 429
    ? "mirror_unreachable"
    : "mirror_refused";
}

function readStatus(error: unknown): number | undefined {
  return (error as Thrown | undefined)?.$metadata?.httpStatusCode;
}
