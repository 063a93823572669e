import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { describe, it } from "node:test";
import type { RestorePlan } from "../../../functions/restore/plan/restore-plan.ts";
import { backupEnvironment, startFunction } from "../../support/function-process.ts";
import { setRestoreStage } from "../../support/restore-stage.ts";

describe("a restore in place where a key is set that manifests must bear", () => {
  it("says that the safety backup could not be restored, unless the function signs it", async () => {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    const MANIFEST_SIGNING_KEY = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    const MANIFEST_PUBLIC_KEY = publicKey.export({ type: "spki", format: "pem" }).toString();
    await using stage = await setRestoreStage();
    await using backup = await startFunction("backup", {
      ...backupEnvironment(stage.server, stage.database, stage.path),
      MANIFEST_SIGNING_KEY,
    });
    assert.equal((await backup.post()).status, 200);

    async function warnings(strategy: string, changes: object): Promise<readonly string[]> {
      const restore = await stage.start({ MANIFEST_PUBLIC_KEY, ...changes });
      const answer = await restore.post({ filename: "latest", strategy, dryRun: true });
      const plan = (await answer.json()) as RestorePlan;
      return plan.warnings.filter((warning) => warning.includes("MANIFEST_SIGNING_KEY"));
    }

    assert.equal((await warnings("in-place", {})).length, 1);
    assert.deepEqual(await warnings("in-place", { MANIFEST_SIGNING_KEY }), []);
    assert.deepEqual(await warnings("swap", {}), []);
  });
});
