import { build } from "esbuild";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { nodePod } from "./pods.ts";

const PROGRAM = `
import S3rver from "s3rver";
import { keepObjectsWhole } from "../../support/whole-objects.ts";
const configureBuckets = [{ name: "dormouse", configs: [] }];
const place = { port: 9000, address: "0.0.0.0", directory: "/tmp/s3" };
void keepObjectsWhole(new S3rver({ ...place, silent: true, vhostBuckets: false, configureBuckets })).run();`;

/** It is too large for a ConfigMap as it is. */
const UNPACK = `
const { readFileSync, writeFileSync } = require("node:fs");
writeFileSync("/tmp/s3.cjs", require("node:zlib").gunzipSync(readFileSync("/program/s3.cjs.gz")));
require("/tmp/s3.cjs");`;

/** The S3 server of the tests as a pod, with the bucket and the key that the component s3 wants. */
export async function s3Server(): Promise<readonly object[]> {
  return [
    ...["backup", "cull", "restore"].map((name) => ({
      ...named("v1", "Secret", `dormouse-s3-${name}`),
      stringData: KEY,
    })),
    { ...named("v1", "ConfigMap", "s3-program"), binaryData: { "s3.cjs.gz": await program() } },
    { ...named("v1", "Service", "s3"), spec: { selector: { app: "s3" }, ports: [{ port: 9000 }] } },
    nodePod("s3", UNPACK, 9000, { path: "/program", configMap: "s3-program" }),
  ];
}

const KEY = { AWS_ACCESS_KEY_ID: "S3RVER", AWS_SECRET_ACCESS_KEY: "S3RVER" };

function named(apiVersion: string, kind: string, name: string) {
  return { apiVersion, kind, metadata: { name } };
}

async function program(): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: PROGRAM, resolveDir: fileURLToPath(new URL(".", import.meta.url)) },
    bundle: true,
    minify: true,
    platform: "node",
    format: "cjs",
    write: false,
    logLevel: "silent",
  });
  return gzipSync(outputFiles[0]?.contents ?? "").toString("base64");
}
