import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import * as z from "zod";
import { backupConfig } from "../functions/backup/config.ts";
import { restoreConfig } from "../functions/restore/config.ts";
import { STATUS } from "../shared/events/problem.ts";
import { authVariables, clusterVariables } from "../shared/runtime/auth-config.ts";
import { describeConfig } from "../shared/runtime/config.ts";
import { version } from "../shared/version.ts";

const read = (path: string) => readFile(new URL(`../${path}`, import.meta.url), "utf8");

describe("the documents", () => {
  const rows = [backupConfig, restoreConfig, z.object(authVariables), z.object(clusterVariables)].flatMap(
    describeConfig,
  );
  it("describe every variable as the code has it", async () => {
    const page = await read("docs/configuration.md");
    for (const { name, fallback, allowed, description, isSecret } of rows) {
      const file = isSecret ? `, \`${name}_FILE\`` : "";
      const row = `| \`${name}\`${file} | ${fallback} | ${allowed} | ${description} |`;
      assert.ok(
        page.replace(/ +/g, " ").replace(/\\/g, "").includes(row),
        `docs/configuration.md lacks: ${row}`,
      );
    }
  });

  it("list every code of a problem with its status", async () => {
    const page = (await read("docs/errors.md")).replace(/ +/g, " ");
    for (const [code, status] of Object.entries(STATUS)) {
      assert.ok(page.includes(`| \`${code}\` | ${status} |`), code);
    }
  });

  it("bear one version", async () => {
    assert.equal((JSON.parse(await read("package.json")) as { version: string }).version, version);
    assert.match(await read("CHANGELOG.md"), /^## Unreleased/m);
  });
});
