import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { ProblemDetails } from "../../shared/http/problem.ts";
import { findClientTools } from "../../shared/postgres/client-tools.ts";
import { backupEnvironment, startFunction } from "../support/function-process.ts";
import { sharedServer } from "../support/postgres.ts";
import { temporaryFolder } from "../support/volume.ts";

/** A folder whose tools say that they are of `version`. */
async function toolFolder(version: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "dormouse-tools-"));
  for (const tool of ["pg_dump", "pg_restore"]) {
    await writeFile(join(folder, tool), `#!/bin/sh\necho "${tool} (PostgreSQL) ${version} (Debian)"\n`);
    await chmod(join(folder, tool), 0o755);
  }
  return folder;
}

describe("findClientTools against a real server", () => {
  it("names both versions when this machine's tools are older than the server", async (test) => {
    const server = await sharedServer();
    const own = "/usr/lib/postgresql/15/bin";
    if (server.major <= 15 || !existsSync(`${own}/pg_dump`))
      return test.skip("needs a server that is newer than this machine's tools: npm run test:matrix");
    await using folder = await temporaryFolder();
    const environment = { ...backupEnvironment(server, "postgres", folder.path), PG_BIN_DIR: own };
    await using backup = await startFunction("backup", environment);

    const answer = await backup.post();
    const problem = (await answer.json()) as ProblemDetails;

    assert.deepEqual([answer.status, problem.code], [500, "client_tools_not_found"]);
    assert.match(problem.detail, new RegExp(`server of version ${server.major}: found 15\\.\\d+ in ${own}`));
    assert.match(problem.hint ?? "", new RegExp(`PostgreSQL ${server.major} client tools`));
  });
});

describe("findClientTools", () => {
  const cases: readonly (readonly [number, readonly string[], string | undefined])[] = [
    [99, ["99.1"], "99.1"],
    [98, ["97.5", "99.1", "98.2"], "98.2"],
    [98, ["99.3", "101.1"], "99.3"],
    [99, ["98.9"], undefined],
    [99, [], undefined],
  ];
  for (const [serverMajor, versions, expected] of cases) {
    it(`finds ${expected ?? "nothing"} for a server ${serverMajor} among ${versions.join(", ") || "none"}`, async () => {
      const folders = await Promise.all(versions.map(toolFolder));
      try {
        const found = await findClientTools(serverMajor, undefined, folders.join(":")).catch(
          (error: { code?: string }) => error.code,
        );

        if (expected === undefined) assert.equal(found, "client_tools_not_found");
        else assert.equal(typeof found === "object" ? found.version : found, expected);
      } finally {
        await Promise.all(folders.map((folder) => rm(folder, { recursive: true })));
      }
    });
  }

  it("looks nowhere but in PG_BIN_DIR when that is given, and names both versions", async () => {
    const folder = await toolFolder("14.2");
    try {
      await assert.rejects(findClientTools(15, folder, process.env["PATH"] ?? ""), (error: Error) => {
        return error.message.includes("version 15") && error.message.includes("14.2");
      });
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  for (const [version, isSafe] of [
    ["15.19", false],
    ["15.20", true],
    ["17.11", false],
    ["18.7", true],
    ["14.99", false],
  ] as const) {
    it(`${isSafe ? "trusts" : "warns about"} client tools ${version}`, async () => {
      const folder = await toolFolder(version);
      try {
        const { warning } = await findClientTools(14, folder, "");

        assert.equal(warning === undefined, isSafe);
      } finally {
        await rm(folder, { recursive: true });
      }
    });
  }
});
