import { build } from "esbuild";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { IMAGE, RANDOM_UID } from "./kustomization.ts";

const PROGRAM = `
import S3rver from "s3rver";
const configureBuckets = [{ name: "dormouse", configs: [] }];
const place = { port: 9000, address: "0.0.0.0", directory: "/tmp/s3" };
void new S3rver({ ...place, silent: true, vhostBuckets: false, configureBuckets }).run();`;

/** It is too large for a ConfigMap as it is. */
const UNPACK = `
const { readFileSync, writeFileSync } = require("node:fs");
writeFileSync("/tmp/s3.cjs", require("node:zlib").gunzipSync(readFileSync("/program/s3.cjs.gz")));
require("/tmp/s3.cjs");`;

const LABELS = { app: "s3" };

/** The S3 server of the tests as a pod, with the bucket and the key that the component s3 wants. */
export async function s3Server(): Promise<readonly object[]> {
  return [
    { ...named("v1", "Secret", "dormouse-s3"), stringData: KEY },
    { ...named("v1", "ConfigMap", "s3-program"), binaryData: { "s3.cjs.gz": await program() } },
    { ...named("v1", "Service", "s3"), spec: { selector: LABELS, ports: [{ port: 9000 }] } },
    pod(),
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

function pod() {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "s3", labels: LABELS },
    spec: {
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 1,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: RANDOM_UID,
        seccompProfile: { type: "RuntimeDefault" },
      },
      containers: [
        {
          name: "s3",
          image: IMAGE,
          args: ["-e", UNPACK],
          readinessProbe: { tcpSocket: { port: 9000 }, periodSeconds: 2 },
          resources: { requests: { cpu: "10m" } },
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
          volumeMounts: [{ name: "program", mountPath: "/program", readOnly: true }],
        },
      ],
      volumes: [{ name: "program", configMap: { name: "s3-program" } }],
    },
  };
}
