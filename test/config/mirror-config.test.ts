import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as z from "zod";
import { readConfig } from "../../shared/config/config.ts";
import { bucketSettings, mirrorVariables } from "../../shared/config/mirror-config.ts";

const schema = z.object(mirrorVariables);
const read = (environment: Readonly<Record<string, string>>) =>
  bucketSettings(
    readConfig(schema, environment, () => ""),
    () => "",
  );

describe("the settings of the mirror", () => {
  it("are none without a bucket", () => {
    assert.equal(read({ AWS_ENDPOINT_URL_S3: "http://localhost:9000" }), undefined);
  });

  for (const [place, given, expected] of [
    ["AWS", {}, [undefined, undefined, false, "when-supported"]],
    [
      "AWS by its name",
      { AWS_ENDPOINT_URL: "https://s3.ca-central-1.amazonaws.com", AWS_REGION: "ca-central-1" },
      ["https://s3.ca-central-1.amazonaws.com", "ca-central-1", false, "when-supported"],
    ],
    [
      "another store",
      { AWS_ENDPOINT_URL_S3: "https://s3.example.org", AWS_ENDPOINT_URL: "https://other.example.org" },
      ["https://s3.example.org", "us-east-1", true, "when-required"],
    ],
    [
      "a store whose name only resembles AWS",
      { AWS_ENDPOINT_URL: "https://amazonaws.com.example.org" },
      ["https://amazonaws.com.example.org", "us-east-1", true, "when-required"],
    ],
    [
      "another store that is configured otherwise",
      {
        AWS_ENDPOINT_URL: "https://s3.example.org",
        S3_FORCE_PATH_STYLE: "false",
        S3_CHECKSUMS: "when-supported",
      },
      ["https://s3.example.org", "us-east-1", false, "when-supported"],
    ],
  ] as const)
    it(`suit ${place} where nothing else is said`, () => {
      const settings = read({ S3_BUCKET: "b", S3_PREFIX: "hets", ...given });

      const { endpoint, region, forcePathStyle, checksums } = settings ?? {};
      assert.deepEqual([endpoint, region, forcePathStyle, checksums], expected);
    });

  for (const [name, value] of [
    ["S3_PREFIX", "/hets"],
    ["S3_PREFIX", "hets/"],
    ["S3_PREFIX", "he\nts"],
    ["S3_BUCKET", "s3://b"],
    ["S3_BUCKET", "b/dev"],
    ["S3_BUCKET", "b\nc"],
    ["AWS_ACCESS_KEY_ID", "ke\ny"],
    ["AWS_SECRET_ACCESS_KEY", "sec\r\nret"],
    ["AWS_SESSION_TOKEN", "to ken"],
    ["S3_CHECKSUMS", "yes"],
    ["S3_FORCE_PATH_STYLE", "1"],
    ["AWS_ENDPOINT_URL_S3", "minio:9000"],
    ["S3_NUM_BACKUPS", "0"],
    ["S3_TIMEOUT_SECONDS", "0"],
  ] as const)
    it(`refuse ${name}=${value}`, () => {
      assert.throws(() => read({ S3_BUCKET: "b", S3_PREFIX: "hets", [name]: value }), {
        code: "configuration_invalid",
        message: new RegExp(`${name} is .*must be`),
      });
    });

  for (const endpoint of [
    "https://acct.r2.cloudflarestorage.com/hets-backups",
    "https://hets-backups.s3.eu-central-1.amazonaws.com/",
  ])
    it(`refuse the bucket in the address of the store: ${endpoint}`, () => {
      const given = { S3_BUCKET: "hets-backups", S3_PREFIX: "hets", AWS_ENDPOINT_URL_S3: endpoint };

      assert.throws(() => read(given), { code: "configuration_invalid", message: /without the bucket/ });
    });

  it("refuse a bucket without a prefix: two installations would share one catalog", () => {
    assert.throws(() => read({ S3_BUCKET: "b" }), {
      code: "configuration_invalid",
      message: /S3_PREFIX is not/,
    });
  });

  it("are read without the line break in which files and Secrets end", () => {
    const settings = read({
      S3_BUCKET: "b\n",
      S3_PREFIX: "hets\r\n",
      AWS_ACCESS_KEY_ID: "key\n",
      AWS_SECRET_ACCESS_KEY: "secret\n\n",
    });

    const { bucket, prefix, credentials } = settings ?? {};
    assert.deepEqual([bucket, prefix], ["b", "hets"]);
    assert.deepEqual([credentials?.accessKeyId, credentials?.secretAccessKey], ["key", "secret"]);
  });

  it("take the whole bucket where that is said", () => {
    assert.equal(read({ S3_BUCKET: "b", S3_PREFIX: "/" })?.prefix, "");
  });
});
