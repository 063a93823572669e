import assert from "node:assert/strict";
import { it } from "node:test";
import { holdDatabase } from "../../../../functions/restore/journal/hold-database.ts";
import type { OpenRestore } from "../../../../functions/restore/restoring.ts";
import { DormouseError } from "../../../../shared/errors.ts";
import type { Run } from "../../../../shared/run/run.ts";

const SIX_MINUTES_MS = 360_000;
const run = { id: "restore-0123456789abcdef01234567", kind: "restore", database: "hets" } as unknown as Run;

for (const [state, code] of [
  ["failed", "run_superseded"],
  ["running", "rollback_pending"],
] as const)
  it(`a failed restore that waits in vain for the lock, with a record that is ${state}, ends as ${code}`, async (test) => {
    let nowMs = 0;
    test.mock.method(performance, "now", () => nowMs);
    const open = {
      run,
      isResumed: false,
      signal: test.signal,
      settings: { database: "hets", busyForMs: 0 },
      entries: { last: {}, isUnwritten: false },
      runs: { find: async () => ({ ...run, state }) },
      lock: {
        hold: async () => {
          nowMs += SIX_MINUTES_MS;
          throw new DormouseError("database_busy", "restore-1 works on database hets");
        },
      },
    } as unknown as OpenRestore;

    await assert.rejects(
      holdDatabase(open, async () => assert.fail("it has the lock")),
      { code },
    );
  });
