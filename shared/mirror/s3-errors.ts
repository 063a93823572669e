import { DormouseError, type ErrorCode } from "../errors.ts";

/** What an S3 store or the SDK throws, as far as it is read here. */
type Thrown = {
  readonly name?: string;
  readonly message?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
};

const HINTS: Readonly<Record<string, string>> = {
  ExpiredToken: "renew the session token, or use credentials that renew themselves",
  ExpiredTokenException: "renew the session token, or use credentials that renew themselves",
  TokenRefreshRequired: "renew the session token, or use credentials that renew themselves",
  InvalidAccessKeyId: "check AWS_ACCESS_KEY_ID against the store",
  SignatureDoesNotMatch: "check AWS_SECRET_ACCESS_KEY and AWS_REGION against the store",
  CredentialsProviderError: "give AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role that the SDK finds",
  AccessDenied: "allow s3:ListBucket, s3:GetObject, s3:PutObject and, for the cull, s3:DeleteObject",
  NoSuchBucket: "make the bucket, or check S3_BUCKET, AWS_ENDPOINT_URL_S3 and S3_FORCE_PATH_STYLE",
  RequestTimeTooSkewed: "set the clock of the node: the store refuses requests that are minutes off",
};
const CHECKSUM_HINT = "if the store does not know the newer checksums, set S3_CHECKSUMS=when-required";
const WAIT_HINT = "look at the store and the network; the next run sends what is missing";

/** Worded once for the whole folder. `doing` is like `listing the bucket`. An abort and our own errors pass unchanged. */
export function s3Error(error: unknown, doing: string, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof DormouseError) return error;
  const { name = "", message = "" } = error as Thrown;
  const code = codeOf(error);
  const hint = HINTS[name] ?? (code === "mirror_unreachable" ? WAIT_HINT : CHECKSUM_HINT);
  const said = [name === "Error" ? "" : name, message].filter((text) => text !== "").join(": ");
  return new DormouseError(code, `${doing} failed: ${said}`, { hint, cause: error });
}

export function isMissing(error: unknown): boolean {
  return statusOf(error) === 404 && (error as Thrown).name !== "NoSuchBucket";
}

/** The store itself says that there is no such object: a 404 of anything else in between would hide a backup. */
export function isGone(error: unknown): boolean {
  return isMissing(error) && (error as Thrown).name === "NoSuchKey";
}

/** The key is known, and may not do this. */
export function isDenied(error: unknown): boolean {
  return statusOf(error) === 403 && (error as Thrown).name === "AccessDenied";
}

/** Another has replaced the object since it was read, or is doing so. */
export function isUnmatched(error: unknown): boolean {
  return statusOf(error) === 412 || statusOf(error) === 409;
}

/** Many stores leave out calls that only some callers need. */
export function isUnsupported(error: unknown): boolean {
  const status = statusOf(error);
  return status === 405 || status === 501 || (error as Thrown).name === "NotImplemented";
}

function codeOf(error: unknown): ErrorCode {
  const status = statusOf(error);
  if ((error as Thrown).name === "CredentialsProviderError") return "mirror_refused";
  return status === undefined || status >= 500 || status === 408 || status === 429
    ? "mirror_unreachable"
    : "mirror_refused";
}

function statusOf(error: unknown): number | undefined {
  return (error as Thrown | undefined)?.$metadata?.httpStatusCode;
}
