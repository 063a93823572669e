/** The right behind each command; see S3's "actions, resources, and condition keys". */
export const RIGHTS: Readonly<Record<string, string>> = {
  ListObjectsV2Command: "s3:ListBucket",
  ListMultipartUploadsCommand: "s3:ListBucketMultipartUploads",
  ListPartsCommand: "s3:ListMultipartUploadParts",
  HeadObjectCommand: "s3:GetObject",
  GetObjectCommand: "s3:GetObject",
  PutObjectCommand: "s3:PutObject",
  CreateMultipartUploadCommand: "s3:PutObject",
  UploadPartCommand: "s3:PutObject",
  CompleteMultipartUploadCommand: "s3:PutObject",
  AbortMultipartUploadCommand: "s3:AbortMultipartUpload",
  DeleteObjectCommand: "s3:DeleteObject",
};

const CHECKSUM_HINT = "if the store does not know the newer checksums, set S3_CHECKSUMS=when-required";
export const WAIT_HINT =
  "GET /doctor shows which requests the store answers; the next run sends what is missing";
export const REFUSED_HINT =
  "the store's own documents say what it refuses so; docs/mirror.md lists what it is asked for";

const TOKEN = "renew the session token, or use credentials that renew themselves";
const REGION = "set AWS_REGION to the region of the bucket";
const ENDPOINT =
  "set AWS_REGION to the region of the bucket, and AWS_ENDPOINT_URL_S3, if it is set, to its address there";
const ROOM =
  "make room: raise the quota of the bucket or the store, or lower S3_NUM_BACKUPS and let a cull run";
export const KMS_HINT =
  "give the key of S3_SSE back: enable it, and allow kms:GenerateDataKey and kms:Decrypt on it";
const ACCOUNT = "look at the account at the provider of the store: it may do nothing there at present";
const CLASS = "set S3_STORAGE_CLASS to a class that the store knows, or leave it unset";
const CA = "mount the certificate that signs the store's and name the file in S3_CA_FILE";
const EXPIRED = "have the store's certificate renewed, and look at the clock of the node";

/**
 * By the code that S3, another store or Node gives; a pattern where they only write a text. The first match wins.
 * (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html; MinIO and Ceph add their own.)
 */
const HINTS: readonly (readonly [RegExp, string])[] = [
  [/^(?:ExpiredToken|ExpiredTokenException|TokenRefreshRequired|InvalidToken|RequestExpired)\b/, TOKEN],
  [/^InvalidAccessKeyId\b/, "check AWS_ACCESS_KEY_ID against the store"],
  [
    /^(?:SignatureDoesNotMatch|InvalidSignature|XAmzContentSHA256Mismatch)\b/,
    "check AWS_SECRET_ACCESS_KEY and AWS_REGION against the store",
  ],
  [
    /^(?:CredentialsProviderError|MissingAuthenticationToken)\b/,
    "give AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role that the SDK finds",
  ],
  [/^(?:AuthorizationHeaderMalformed|InvalidRegionName|IllegalLocationConstraintException)\b/, REGION],
  [/Region is missing/, REGION],
  [/^(?:PermanentRedirect|TemporaryRedirect|Redirect|IncorrectEndpoint|30[1278])\b/, ENDPOINT],
  [/^NoSuchBucket\b/, "make the bucket, or check S3_BUCKET, AWS_ENDPOINT_URL_S3 and S3_FORCE_PATH_STYLE"],
  [/^InvalidBucketName\b/, "set S3_BUCKET to the name of the bucket alone; a path belongs in S3_PREFIX"],
  [/^RequestTimeTooSkewed\b/, "set the clock of the node: the store refuses requests that are minutes off"],
  [
    /^InvalidObjectState\b/,
    "the object lies in an archive class: thaw it, and let neither S3_STORAGE_CLASS nor a lifecycle rule move backups into one",
  ],
  [/^(?:InvalidStorageClass|StorageClassNotSupported)\b/, CLASS],
  [/^(?:\w*Quota\w*|\w*StorageFull|EntityTooLarge|InsufficientStorage|TooManyObjects|507)\b/i, ROOM],
  [/^KMS\b|^KMS[.A-Z]|^Kms/, KMS_HINT],
  [
    /^(?:InvalidEncryptionAlgorithmError|ServerSideEncryption\w*)\b/,
    "set S3_SSE to what the store encrypts with",
  ],
  [/^(?:AccountProblem|AllAccessDisabled|UserSuspended|NotSignedUp|402)\b/, ACCOUNT],
  [
    /^(?:ObjectLock\w*|InvalidRetentionPeriod|MethodNotAllowed|ObjectAlreadyExists)\b/,
    "a lock of the bucket is in the way",
  ],
  [
    /(?:Content-MD5|x-amz-checksum)[^]*\bis required\b|^MissingContentMD5\b/i,
    "set S3_CHECKSUMS=when-supported: a bucket whose objects are locked asks for a checksum of each",
  ],
  [
    /checksum|^(?:BadDigest|InvalidDigest|NotImplemented|XNotImplemented|InvalidRequest|InvalidArgument)\b/i,
    CHECKSUM_HINT,
  ],
  [/^(?:UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_UNTRUSTED)/, CA],
  [
    /^ERR_TLS_CERT_ALTNAME_INVALID\b/,
    "set AWS_ENDPOINT_URL_S3 to a name that the store's certificate has, and S3_FORCE_PATH_STYLE=true where it has none for the bucket",
  ],
  [/^(?:CERT_HAS_EXPIRED|CERT_NOT_YET_VALID)\b/, EXPIRED],
  [
    /wrong version number|^ERR_SSL_|packet length too long/,
    "the port speaks no TLS: set AWS_ENDPOINT_URL_S3 to http://, or to the port that does",
  ],
  [
    /^(?:ENOTFOUND|EAI_AGAIN)\b/,
    "check the host in AWS_ENDPOINT_URL_S3; where the bucket stands before it, set S3_FORCE_PATH_STYLE=true",
  ],
  [/^ECONNREFUSED\b/, "check host and port in AWS_ENDPOINT_URL_S3: nothing listens there"],
  [
    /socket hang up/,
    `if it never answers: does the port in AWS_ENDPOINT_URL_S3 speak https? Else ${WAIT_HINT}`,
  ],
  [/Invalid character in header/, "take the line break out of AWS_ACCESS_KEY_ID or AWS_SESSION_TOKEN"],
];

/** `undefined` where nothing is known of it. */
export function hintFor(code: string, message: string): string | undefined {
  return HINTS.find(([pattern]) => pattern.test(code) || pattern.test(message))?.[1];
}
