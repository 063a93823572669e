import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { restoreEnvironment, spawnFunction } from "../../support/function-process.ts";
import { sharedServer } from "../../support/postgres.ts";
import { temporaryFolder } from "../../support/volume.ts";

describe("the place of the locks of a restore", () => {
  it("is not the database that is restored, where its own session would stand in the way", async () => {
    await using volume = await temporaryFolder();
    const environment = restoreEnvironment(await sharedServer(), "live", volume.path);
    await using restore = spawnFunction("restore", { ...environment, MAINTENANCE_DATABASE: "live" });

    const line = await restore.logged("start-up failed");

    assert.equal(line["code"], "configuration_invalid");
    assert.match(String(line["error"]), /MAINTENANCE_DATABASE is "live", the database that is restored/);
    assert.equal(await restore.ended, 1);
  });
});
