import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { describe, it } from "node:test";
import type { ConfigSchema } from "../../shared/config/config.ts";
import { describeConfig } from "../../shared/config/config.ts";
import { installable, containersOf, lackOfKubectl, render, type Manifest } from "../support/manifests.ts";

const FUNCTIONS = ["backup", "cull", "restore"].filter((name) =>
  existsSync(new URL(`../../functions/${name}/config.ts`, import.meta.url)),
);
/** What components/s3 and docs/knative.md put into this Secret. */
const SECRET_S3 = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];

describe("the environment in the manifests", async () => {
  const skip = (await lackOfKubectl()) ?? false;
  const folders = await installable();

  for (const folder of folders) {
    for (const name of FUNCTIONS) {
      it(
        `in ${folder} has only variables that ${name} reads, and all that it requires`,
        { skip },
        async () => {
          const manifests = await render(folder);
          const rows = describeConfig(await configOf(name));
          const known = new Set(
            rows.flatMap((row) => [row.name, ...(row.isSecret ? [`${row.name}_FILE`] : [])]),
          );
          const required = rows.filter(({ fallback }) => fallback === "required").map((row) => row.name);

          for (const given of environmentsOf(manifests, name)) {
            assert.deepEqual(
              given.filter((variable) => !known.has(variable)),
              [],
            );
            const values = new Set(given.map((variable) => variable.replace(/_FILE$/, "")));
            assert.deepEqual(
              required.filter((variable) => !values.has(variable)),
              [],
            );
          }
        },
      );
    }
  }
});

async function configOf(name: string): Promise<ConfigSchema> {
  const module = (await import(`../../functions/${name}/config.ts`)) as Record<string, unknown>;
  const config = module[`${name}Config`];
  assert.ok(config !== undefined, `functions/${name}/config.ts exports no ${name}Config`);
  return config as ConfigSchema;
}

/** The names of the variables of each container that runs the function: in the service, and in a Job. */
function environmentsOf(manifests: readonly Manifest[], name: string): readonly (readonly string[])[] {
  const containers = manifests
    .flatMap(containersOf)
    .filter(({ args = [] }) => args.includes(`${name}/index.mjs`));
  assert.notEqual(containers.length, 0);
  return containers.map(({ env = [], envFrom = [] }) => [
    ...env.map((variable) => variable.name),
    ...envFrom.flatMap(({ configMapRef, secretRef }) =>
      configMapRef === undefined ? keysOfSecret(secretRef?.name, name) : keysOf(manifests, configMapRef.name),
    ),
  ]);
}

function keysOf(manifests: readonly Manifest[], name: string): readonly string[] {
  const map = manifests.find(({ kind, metadata }) => kind === "ConfigMap" && metadata.name === name);
  assert.ok(map !== undefined, `there is no ConfigMap ${name}`);
  return Object.keys(map["data"] as object);
}

/** Of the function's own: a key that may delete is no business of the others. */
function keysOfSecret(secret: string | undefined, name: string): readonly string[] {
  assert.equal(secret, `dormouse-s3-${name}`);
  return SECRET_S3;
}
