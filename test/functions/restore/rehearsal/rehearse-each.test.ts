import assert from "node:assert/strict";
import { it } from "node:test";
import { rehearseEach } from "../../../../functions/restore/rehearsal/rehearse-each.ts";
import { databaseChoice } from "../../../../shared/config/database-choice.ts";
import { DormouseError } from "../../../../shared/errors.ts";
import type { OutcomeEvent } from "../../../../shared/run/run.ts";
import type { RunContext } from "../../../../shared/run/run.ts";

type Dependencies = Parameters<typeof rehearseEach>[0];

const run = { id: "restore-all", kind: "restore", database: "", state: "running", attempt: 1, steps: [] };
const silent = new DormouseError("volume_silent", "the volume does not answer");
const full = new DormouseError("disk_full", "no room for a record");
const failed = (code: string) => async () => ({ id: `restore-${code}`, problem: { code, message: code } });

/** What is announced of a rehearsal of all databases that ends with an error. */
async function announced(changes: object, code: string): Promise<readonly (readonly [string, string])[]> {
  const sent: (readonly [string, string])[] = [];
  const backups = ["a", "b"].map((database) => ({
    database,
    sequence: 1,
    startedAt: new Date(0),
    finishedAt: new Date(0),
  }));
  const deps = {
    choice: databaseChoice({ POSTGRESQL_DATABASES: ["*"] }),
    merged: { list: async () => ({ backups }) },
    retired: { known: async () => [] },
    inPod: { start: async () => assert.fail("it is started") },
    events: {
      send: async ({ type, subject }: OutcomeEvent) => void sent.push([type, subject]),
    },
    ...changes,
  } as unknown as Dependencies;
  const told: Promise<void>[] = [];
  const signal = new AbortController().signal;
  const context = {
    run,
    signal,
    refresh: async () => ({ ...run, acceptedAt: new Date() }),
    step: async () => undefined,
    meanwhile: (task: (given: AbortSignal) => Promise<void>) => void told.push(task(signal)),
  } as unknown as RunContext;
  await assert.rejects(rehearseEach(deps, context), { code });
  await Promise.all(told);
  return sent;
}

const FAILED = "dev.dormouse.rehearsal.failed";
const CASES = [
  [
    "which databases there are cannot be read",
    { merged: { list: async () => Promise.reject(silent) } },
    "volume_silent",
    ["*"],
  ],
  [
    "no run of a database can be recorded",
    { inPod: { start: async () => Promise.reject(full) } },
    "sweep_incomplete",
    ["a", "b"],
  ],
  [
    "those of the databases have failed, and said so",
    { inPod: { start: async () => ({ finished: failed("rows_differ") }) } },
    "sweep_incomplete",
    [],
  ],
] as const;
for (const [what, changes, code, subjects] of CASES)
  it(`a rehearsal of all databases is announced as failed of ${JSON.stringify(subjects)} where ${what}`, async () => {
    assert.deepEqual(
      await announced(changes, code),
      subjects.map((subject) => [FAILED, subject]),
    );
  });
