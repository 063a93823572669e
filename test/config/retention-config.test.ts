import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isTimeZone } from "../../shared/config/retention-config.ts";

describe("RETENTION_TZ", () => {
  it("knows time zones from what is none", () => {
    assert.deepEqual(["UTC", "America/Vancouver", "Mars/Olympus", "", "Europe"].map(isTimeZone), [
      true,
      true,
      false,
      false,
      false,
    ]);
  });
});
