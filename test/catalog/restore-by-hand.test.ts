import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { execa } from "execa";
import { archiveName } from "../../shared/catalog/archive-name.ts";
import { restoreByHand } from "../../shared/catalog/restore-by-hand.ts";

describe("the command of a manifest", () => {
  const command = restoreByHand(archiveName("hets", new Date(0)), "hets", {
    format: "custom",
    settings: { TimeZone: "UTC" },
  });
  /** The tools only show what they get. */
  const shown = (env: Record<string, string>) =>
    execa({ env })`sh -uc ${`createdb() { :; }; pg_restore() { echo "$PGOPTIONS"; }; ${command}`}`;

  it("keeps the options of a session that the operator has set, a role's limits of time for one", async () => {
    const { stdout } = await shown({ PGOPTIONS: "-c idle_session_timeout=0" });
    assert.match(stdout, /^-c idle_session_timeout=0 .*-c TimeZone=UTC/);
  });

  it("runs where none is set", async () => {
    const { stdout } = await shown({});
    assert.match(stdout, /-c TimeZone=UTC/);
  });
});
