import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Finding, Report } from "../../shared/backup/finding.ts";
import { backupEnvironment, startFunction, type FunctionProcess } from "../support/function-process.ts";
import { sharedServer } from "../support/postgres.ts";
import { temporaryFolder } from "../support/volume.ts";

describe("GET /doctor of the backup function", () => {
  it("finds nothing at fault where a backup would succeed, and says that nobody listens", async () => {
    await using volume = await temporaryFolder();
    await using backup = await startFunction(
      "backup",
      backupEnvironment(await sharedServer(), "postgres", volume.path),
    );

    const { healthy, findings } = await reportOf(backup);

    assert.equal(healthy, true, JSON.stringify(findings));
    assert.deepEqual(states(findings), { volume: "good", database: "good", sink: "warning" });
  });

  it("leaves nothing on the volume", async () => {
    await using volume = await temporaryFolder();
    await using backup = await startFunction(
      "backup",
      backupEnvironment(await sharedServer(), "postgres", volume.path),
    );

    await reportOf(backup);

    const { foreign, backups } = (await (await backup.get("/")).json()) as Record<string, unknown[]>;
    assert.deepEqual([foreign, backups], [[], []]);
  });

  it("says of each fault what to change", async () => {
    await using volume = await temporaryFolder();
    const environment = backupEnvironment(await sharedServer(), "no_such_database", volume.path);
    await using backup = await startFunction("backup", { ...environment, K_SINK: "http://127.0.0.1:9/" });

    const { healthy, findings } = await reportOf(backup);

    assert.equal(healthy, false);
    assert.deepEqual(states(findings), { volume: "good", database: "fault", sink: "fault" });
    for (const { state, fix, detail } of findings) if (state === "fault") assert.ok(fix, detail);
  });
});

async function reportOf(process: FunctionProcess): Promise<Report> {
  const response = await process.get("/doctor");
  assert.equal(response.status, 200);
  return (await response.json()) as Report;
}

function states(findings: readonly Finding[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    findings
      .filter(({ detail }) => !detail.includes("security fixes"))
      .map(({ check, state }) => [check, state]),
  );
}
