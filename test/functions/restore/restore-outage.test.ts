import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { Run } from "../../../shared/run/run.ts";
import { connectAgainAndAgain } from "../../support/application.ts";
import { until } from "../../support/faulty.ts";
import type { TestServer } from "../../support/postgres.ts";
import { setRestoreStage } from "../../support/restore-stage.ts";

describe("an application that is connected while its database is restored", () => {
  it("is thrown out once, comes back by itself, and reads what was restored", async (test) => {
    await using stage = await setRestoreStage();
    await stage.destroyData();
    await using application = startApplication(stage.server, stage.database);
    await application.answered(1);
    const restore = await stage.start();

    const { downtimeMs = 0 } = await stage.readResult(restore.post({ filename: "latest" }));
    await application.answered(application.reads.length + 1);

    const { reads, outageMs, errors } = application;
    assert.deepEqual([reads.at(0)?.rows, reads.at(-1)?.rows], [0, 2_000]);
    // No read mixes the two, and none goes back.
    assert.deepEqual(new Set(reads.map(({ rows }) => rows)), new Set([0, 2_000]));
    assert.equal(
      reads.findLastIndex(({ rows }) => rows === 0) < reads.findIndex(({ rows }) => rows > 0),
      true,
    );
    assert.notDeepEqual(errors, []);
    test.diagnostic(
      `outage as the application saw it: ${Math.round(outageMs())} ms, as the restore reports it: ${downtimeMs} ms; ` +
        `it saw ${[...new Set(errors)].join(" | ")}`,
    );
  });
});

describe("an application that writes as soon as it is let in again", () => {
  it("makes a restore in place neither fail nor count its rows", async () => {
    await using stage = await setRestoreStage();
    await stage.destroyData();
    const restore = await stage.startAsOwner();
    await using application = connectAgainAndAgain(
      stage,
      "INSERT INTO hire.owner (name, registered_at) VALUES ('new', now())",
    );
    await until(() => application.answers() > 0);

    const result = await stage.readResult(restore.post({ filename: "latest", strategy: "in-place" }));

    const { rows } = await stage.query(
      stage.database,
      "SELECT count(*)::int AS equipment FROM hire.equipment",
    );
    assert.deepEqual(rows, [{ equipment: 2_000 }]);
    assert.equal(result.compared?.rows, stage.backup.content.rows);
    const { steps } = (await (await restore.get(`/runs/${result.run}`)).json()) as Run;
    assert.deepEqual(
      steps.filter(({ step }) => step === "failed"),
      [],
    );
  });
});

type Read = { readonly rows: number; readonly atMs: number };

/** Reads again and again in one session, and opens another whenever that one fails. */
function startApplication(server: TestServer, database: string) {
  const reads: Read[] = [];
  const errors: string[] = [];
  const stopped = new AbortController();

  async function session(): Promise<void> {
    const client = await server.connect(database);
    try {
      while (!stopped.signal.aborted) {
        const { rows } = await client.query<{ rows: number }>(
          "SELECT count(*)::int AS rows FROM hire.equipment",
        );
        reads.push({ rows: rows[0]?.rows ?? -1, atMs: performance.now() });
        await pause(5);
      }
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  async function loop(): Promise<void> {
    while (!stopped.signal.aborted) {
      await session().catch((error: unknown) => errors.push(error instanceof Error ? error.message : "?"));
      await pause(5);
    }
  }

  const ended = loop();
  return {
    reads,
    errors,
    /** Waits until it has read so often. */
    async answered(count: number): Promise<void> {
      while (reads.length < count) await pause(5);
    },
    /** The longest time between two reads. */
    outageMs: () => Math.max(...reads.slice(1).map(({ atMs }, index) => atMs - (reads[index]?.atMs ?? atMs))),
    async [Symbol.asyncDispose]() {
      stopped.abort();
      await ended;
    },
  };
}
