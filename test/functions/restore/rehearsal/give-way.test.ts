import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { it } from "node:test";
import { givingWay } from "../../../../functions/restore/rehearsal/give-way.ts";
import type { Restoring } from "../../../../functions/restore/restoring.ts";

const URGENT = [
  { kind: "restore", request: { kind: "restore", strategy: "swap" } },
  { kind: "restore", request: { kind: "restore", strategy: "in-place" } },
  { kind: "restore", request: { kind: "restore", strategy: "beside" } },
  { kind: "restore", request: { kind: "undo", run: "restore-1" } },
];
const PATIENT = [
  { kind: "restore", request: { kind: "restore", strategy: "rehearse" } },
  { kind: "backup", request: {} },
];

/** A rehearsal while these runs wait for its lock. */
function rehearsing(waiting: readonly object[]) {
  const read: string[] = [];
  const restoring = {
    run: { id: "restore-own" },
    signal: new AbortController().signal,
    log: { info: () => undefined },
    held: { waiting: async () => new Set(waiting.map((_, at) => `${at}`)) },
    runs: {
      find: async (id: string) => {
        read.push(id);
        return { id, ...waiting[Number(id)] };
      },
    },
  } as unknown as Restoring;
  return { restoring, read };
}

for (const urgent of URGENT)
  it(`a rehearsal gives way to what waits for its lock: ${JSON.stringify(urgent.request)}`, async () => {
    const { restoring } = rehearsing([...PATIENT, urgent]);
    const never = ({ signal }: Restoring) => pause(60_000, undefined, { signal });

    const given = givingWay(restoring, async (own) => {
      await never(own).catch(() => own.signal.throwIfAborted());
    });

    await assert.rejects(given, { code: "rehearsal_gave_way", message: /gave way to the restore 2$/ });
  });

it("a rehearsal gives way to no other rehearsal and no backup, and reads the records of what waits alone", async () => {
  const { restoring, read } = rehearsing(PATIENT);
  const looked = Promise.withResolvers<void>();
  const runs = {
    ...restoring.runs,
    find: async (id: string) => {
      if (read.length > PATIENT.length) looked.resolve();
      return restoring.runs.find(id);
    },
  };

  await givingWay({ ...restoring, runs }, async ({ signal }) => {
    await looked.promise;
    assert.equal(signal.aborted, false);
  });

  assert.deepEqual([...new Set(read)], ["0", "1"]);
});
