import * as z from "zod/mini";
import { invalidConfiguration, variable } from "./config.ts";
import { readKeyFile } from "./key-file.ts";
import { httpUrl, text, wholeNumber } from "./rules.ts";
import type { proxyVariables } from "./proxy-config.ts";

/** A line break at its end would only be found when a request is signed. */
const key = z.string().check(z.regex(/^\S+$/));

/** The bucket, for every function that works with it. The SDK's own names where it has some. */
export const mirrorVariables = {
  S3_BUCKET: variable(z.optional(z.string().check(z.regex(/^(?:arn:\S+|[^\s/:]+)$/))), {
    description: "Bucket in which each backup is mirrored. Unset: there is no mirror, and no S3 is spoken.",
    allowed: "the name of a bucket, without s3:// and without a path",
  }),
  S3_PREFIX: variable(z.optional(z.string().check(z.regex(/^(?:\/|[^/\s](?:.*[^/\s])?)$/))), {
    description:
      "What the names of its objects begin with, before a slash: of each installation its own, like `hets-prod`. Goes with `S3_BUCKET`. `/`: the whole bucket is this installation's.",
    allowed: "text that neither begins nor ends with a slash, or / for the whole bucket",
  }),
  AWS_ENDPOINT_URL_S3: variable(z.optional(httpUrl), {
    description: "The store, unless it is AWS.",
    allowed: "an http or https URL",
  }),
  AWS_ENDPOINT_URL: variable(z.optional(httpUrl), {
    description: "The same, where `AWS_ENDPOINT_URL_S3` is unset.",
    allowed: "an http or https URL",
  }),
  AWS_REGION: variable(z.optional(text), {
    description:
      "Region of the bucket. Unset: `us-east-1` for other stores than AWS, which need one in signatures.",
    allowed: "the name of a region",
  }),
  AWS_ACCESS_KEY_ID: variable(z.optional(key), {
    description: "Unset: the SDK looks for a role of the pod, the container or the machine.",
    allowed: "the id of a key, together with AWS_SECRET_ACCESS_KEY",
    isSecret: true,
  }),
  AWS_SECRET_ACCESS_KEY: variable(z.optional(key), {
    description: "Its secret.",
    allowed: "the secret of a key, together with AWS_ACCESS_KEY_ID",
    isSecret: true,
  }),
  AWS_SESSION_TOKEN: variable(z.optional(key), {
    description: "For keys that expire.",
    allowed: "a token, together with a key",
    isSecret: true,
  }),
  S3_FORCE_PATH_STYLE: variable(z.optional(z.enum(["true", "false"])), {
    description:
      "Whether the bucket stands in the path, not in the host. Set it where the store knows one of the two only. Unset: `false` for AWS, else `true`.",
    allowed: "true or false",
  }),
  S3_CA_FILE: variable(z.optional(text), {
    description: "Certificates that sign the store's, beside the well-known ones.",
    allowed: "the path of a PEM file",
    isFile: true,
  }),
  S3_CHECKSUMS: variable(z.optional(z.enum(["when-required", "when-supported"])), {
    description:
      "Whether the store computes and keeps SHA-256 sums, so that nothing is read back. Set it for a store other than AWS that does, to save the traffic. Unset: `when-supported` for AWS, else `when-required`.",
    allowed: "when-required or when-supported",
  }),
  S3_STORAGE_CLASS: variable(z.optional(text), {
    description:
      "Of new objects, where another is cheaper. One that must be thawed before it is read makes each backup fail its proof.",
    allowed: "a class that the store knows, like `STANDARD_IA`",
  }),
  S3_SSE: variable(z.optional(z.enum(["AES256", "aws:kms", "aws:kms:dsse"])), {
    description: "How the store encrypts at rest. It does not protect against a reader of the bucket.",
    allowed: "AES256, aws:kms or aws:kms:dsse",
  }),
  S3_TIMEOUT_SECONDS: wholeNumber(
    { from: 1, to: 3_600, unset: 60 },
    "How long the store may say nothing. To put a large upload together it has a quarter of an hour, or as long as this if that is more.",
  ),
  S3_NUM_BACKUPS: wholeNumber(
    { from: 1, to: 100_000 },
    "How many of the newest backups of each database the bucket keeps, where that is not what the volume has room for. Unset: as `NUM_BACKUPS`.",
  ),
};

export type MirrorConfig = z.output<z.ZodMiniObject<typeof mirrorVariables & typeof proxyVariables>> & {
  readonly K_CA_CERTS?: string | undefined;
};

/** What the adapter is given; `undefined` without a bucket. Throws `configuration_invalid` for what does not fit together. */
export function bucketSettings(config: MirrorConfig, readFile = readKeyFile) {
  if (config.S3_BUCKET === undefined) return undefined;
  if (config.S3_PREFIX === undefined) throw invalidConfiguration(PREFIX_UNSET);
  return {
    bucket: config.S3_BUCKET,
    prefix: config.S3_PREFIX === "/" ? "" : config.S3_PREFIX,
    ...describeStore(config),
    credentials: credentials(config),
    ca: authorities(config, readFile),
    storageClass: config.S3_STORAGE_CLASS,
    sse: config.S3_SSE,
    stallMs: config.S3_TIMEOUT_SECONDS * 1000,
    proxies: { HTTP_PROXY: config.HTTP_PROXY, HTTPS_PROXY: config.HTTPS_PROXY, NO_PROXY: config.NO_PROXY },
  };
}

const PREFIX_UNSET =
  "S3_BUCKET is set and S3_PREFIX is not: give each installation a prefix of its own, like its namespace, or / where the whole bucket is its own";

/** AWS and the other stores want different things where nothing is said. */
function describeStore(config: MirrorConfig) {
  const endpoint = config.AWS_ENDPOINT_URL_S3 ?? config.AWS_ENDPOINT_URL;
  if (endpoint !== undefined) refuseBucketIn(endpoint, config.S3_BUCKET);
  const isAws = endpoint === undefined || new URL(endpoint).hostname.endsWith(".amazonaws.com");
  const fallback = isAws
    ? ({ region: undefined, pathStyle: "false", checksums: "when-supported" } as const)
    : ({ region: "us-east-1", pathStyle: "true", checksums: "when-required" } as const);
  return {
    endpoint,
    region: config.AWS_REGION ?? fallback.region,
    forcePathStyle: (config.S3_FORCE_PATH_STYLE ?? fallback.pathStyle) === "true",
    checksums: config.S3_CHECKSUMS ?? fallback.checksums,
  };
}

/** As consoles show it for copying: each request would then go to a bucket within the bucket. */
function refuseBucketIn(endpoint: string, bucket = ""): void {
  const { pathname, hostname } = new URL(endpoint);
  const isInPath = pathname.split("/").findLast((part) => part !== "") === bucket;
  const isInHost = hostname.startsWith(`${bucket}.`) && hostname.endsWith(".amazonaws.com");
  if (isInPath || isInHost)
    throw invalidConfiguration("AWS_ENDPOINT_URL_S3 must be the store's address without the bucket");
}

function credentials(config: MirrorConfig) {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = config;
  if (accessKeyId === undefined && secretAccessKey === undefined) return undefined;
  if (accessKeyId !== undefined && secretAccessKey !== undefined)
    return { accessKeyId, secretAccessKey, sessionToken: config.AWS_SESSION_TOKEN };
  throw invalidConfiguration(
    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go together: one of them is not set",
  );
}

/** Those of the store, and those of all that goes out, as one text. */
function authorities(config: MirrorConfig, readFile: (path: string) => string): string | undefined {
  const given = (["S3_CA_FILE", "TRUSTED_CA_FILE"] as const).flatMap((name) => {
    const path = config[name];
    return path === undefined ? [] : [certificates(name, path, readFile)];
  });
  const all = config.K_CA_CERTS === undefined ? given : [...given, config.K_CA_CERTS];
  return all.length === 0 ? undefined : all.join("\n");
}

function certificates(name: string, path: string, readFile: (path: string) => string): string {
  try {
    const pem = readFile(path);
    if (pem.includes("-----BEGIN CERTIFICATE-----")) return pem;
  } catch (error) {
    throw invalidConfiguration(`${name} names ${path}, which cannot be read`, error);
  }
  throw invalidConfiguration(`${name} names ${path}, which holds no certificate`);
}
