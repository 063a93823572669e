import assert from "node:assert/strict";
import { it } from "node:test";
import type { Run } from "../../shared/run/run.ts";
import { recentRehearsal } from "../../functions/restore/rehearsal/recent-rehearsal.ts";
import { until } from "../support/faulty.ts";
import { setRestoreStage } from "../support/restore-stage.ts";

it("a flood of pings that ask for a rehearsal has the server load the backup once", async () => {
  await using stage = await setRestoreStage();
  await using restore = await stage.start({ MIN_INTERVAL_MINUTES: "10" });
  const asks = [{ filename: "latest", into: "scratch" }, { rehearse: "each" }];

  const flood = Array.from({ length: 40 }, (_, n) =>
    restore.ping({ id: `${n}`, source: `/of/${n}`, data: asks[n % 2] }),
  );
  const statuses = (await Promise.all(flood)).map(({ status }) => status);
  const ended = async () => {
    const { runs } = (await (await restore.get("/runs")).json()) as { runs: Run[] };
    return runs.every(({ state }) => state === "succeeded") ? runs : undefined;
  };
  await until(async () => (await ended()) !== undefined);
  await restore.ping({ id: "late", source: "/of/late", data: asks[0] });
  const runs = (await ended()) ?? [];

  assert.deepEqual(new Set(statuses), new Set([202]));
  assert.equal(runs.length, 2, "one of each");
});

const asked = { kind: "restore", filename: "latest", strategy: "rehearse", dryRun: false } as const;
const ago = (minutes: number) => new Date(Date.now() - minutes * 60_000);
const run = (changes: object) =>
  ({
    request: asked,
    state: "succeeded",
    acceptedAt: ago(12),
    finishedAt: ago(11),
    ...changes,
  }) as unknown as Run;
/** Made in their tests: the flood before may take longer than a minute. */
const CASES: Readonly<Record<string, readonly [known: () => Run, answers: boolean]>> = {
  "under way, however long": [
    () => run({ state: "running", acceptedAt: ago(600), finishedAt: undefined }),
    true,
  ],
  interrupted: [() => run({ state: "interrupted" }), true],
  "that ended within ten minutes": [() => run({ finishedAt: ago(9) }), true],
  "that failed within ten minutes": [() => run({ state: "failed", finishedAt: ago(9) }), true],
  "that ended less long ago than it took": [() => run({ acceptedAt: ago(110), finishedAt: ago(50) }), true],
  "that ended longer ago": [() => run({}), false],
  "of another file": [() => run({ request: { ...asked, filename: "other" }, finishedAt: ago(1) }), false],
  "that a wrong clock has stamped": [() => run({ finishedAt: ago(-600) }), false],
};
for (const [what, [made, answers]] of Object.entries(CASES))
  it(`an event that asks for a rehearsal is ${answers ? "answered" : "not answered"} by one ${what}`, () => {
    const known = made();
    assert.equal(recentRehearsal(asked, [known], { minIntervalMs: 600_000 }), answers ? known : undefined);
  });
