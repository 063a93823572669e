import { getCACertificates } from "node:tls";
import {
  S3Client,
  type ChecksumAlgorithm,
  type ServerSideEncryption,
  type StorageClass,
} from "@aws-sdk/client-s3";
import { nameCommands } from "./s3-errors.ts";
import { traceHeaders } from "../../trace.ts";
import { refuseOtherAnswers } from "./whole-answer.ts";

export type BucketSettings = {
  readonly bucket: string;
  /** Folder-like, without a slash at its ends; empty for the whole bucket. */
  readonly prefix: string;
  /** Unset: AWS, by the region. */
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
  readonly forcePathStyle: boolean;
  /** Unset: the SDK looks where it always does (environment, web identity, container, instance). */
  readonly credentials?: Credentials | undefined;
  /** Certificates to trust beside the well-known ones, as PEM. */
  readonly ca?: string | undefined;
  /** Whether the store is sent checksums that it checks and keeps. Many stores refuse or damage what bears them. */
  readonly checksums: "when-required" | "when-supported";
  readonly storageClass?: string | undefined;
  readonly sse?: string | undefined;
  /** How long a connection may say nothing. */
  readonly stallMs: number;
  /** Proxies by which the store is reached, as the environment names them. */
  readonly proxies?: Proxies | undefined;
};

type Proxies = Readonly<Record<"HTTP_PROXY" | "HTTPS_PROXY" | "NO_PROXY", string | undefined>>;

type Credentials = {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
};

/** A bucket as this folder works with it. */
export type Bucket = {
  readonly client: S3Client;
  /** For a request during which the store may be silent for minutes; to be destroyed, or its connection stays open. */
  readonly patientClient: () => S3Client;
  readonly name: string;
  /** Ends in a slash unless empty: `hets` must not match `hets-old`. */
  readonly prefix: string;
  readonly stallMs: number;
  /** What each new object is given. */
  readonly attributes: {
    readonly ChecksumAlgorithm?: ChecksumAlgorithm;
    readonly StorageClass?: StorageClass;
    readonly ServerSideEncryption?: ServerSideEncryption;
  };
};

const CONNECT_MS = 10_000;
const ATTEMPTS = 5;
/** S3 puts large uploads together in minutes, and sends spaces meanwhile; other stores send nothing. */
const PATIENT_MS = 15 * 60_000;

export function openBucket(settings: BucketSettings): Bucket {
  const { bucket, prefix, checksums, storageClass, sse, stallMs } = settings;
  return {
    client: createClient(settings),
    patientClient: () => createClient({ ...settings, stallMs: Math.max(stallMs, PATIENT_MS) }),
    name: bucket,
    prefix: prefix === "" ? "" : `${prefix}/`,
    stallMs,
    attributes: {
      ...(checksums === "when-supported" ? { ChecksumAlgorithm: "SHA256" } : {}),
      ...(storageClass === undefined ? {} : { StorageClass: storageClass as StorageClass }),
      ...(sse === undefined ? {} : { ServerSideEncryption: sse as ServerSideEncryption }),
    },
  };
}

function createClient(settings: BucketSettings): S3Client {
  const { endpoint, region, forcePathStyle, credentials, ca, checksums, stallMs, proxies = {} } = settings;
  const agent = { keepAlive: true, maxSockets: 16, proxyEnv: proxies };
  const checksumMode = checksums === "when-required" ? "WHEN_REQUIRED" : "WHEN_SUPPORTED";
  const client = new S3Client({
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    ...(credentials === undefined
      ? {}
      : { credentials: { ...credentials } as Credentials & { sessionToken: string } }),
    forcePathStyle,
    maxAttempts: ATTEMPTS,
    requestChecksumCalculation: checksumMode,
    responseChecksumValidation: checksumMode,
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      // Of silence, not of the whole request: a slow line is no fault.
      socketTimeout: stallMs,
      httpAgent: agent,
      // Those of NODE_EXTRA_CA_CERTS are among the default ones.
      httpsAgent: ca === undefined ? agent : { ...agent, ca: [...getCACertificates("default"), ca] },
    },
  });
  refuseOtherAnswers(client);
  nameCommands(client);
  traceRequests(client);
  return client;
}

/** Behind the signature: a proxy that traces as well may change the header, which must not make the signature wrong. */
function traceRequests(client: S3Client): void {
  client.middlewareStack.add(
    (next) => (args) => {
      const { headers } = args.request as { readonly headers: Record<string, string> };
      Object.assign(headers, traceHeaders());
      return next(args);
    },
    { step: "deserialize", name: "traceRequests" },
  );
}
