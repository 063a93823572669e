import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { CatalogListing } from "../../shared/catalog/catalog.ts";
import type { Run } from "../../shared/run/run.ts";
import { pingHeaders, createRuns } from "./support/events.ts";
import { eventually } from "./support/kubectl.ts";
import { asleep, install, type Installation, type Pod } from "./support/namespace.ts";

const BACKUP = "dormouse-backup";
/** Of a request, and of a pod from the first sign of its end. */
const TIMEOUT_SECONDS = 30;
/** After this a pod without a request is gone: 10 s window, 30 s grace, 30 s drain. */
const SCALED_AWAY_SECONDS = 100;

describe("a long backup on Knative", () => {
  let dormouse: Installation;
  before(async () => {
    const timeouts = ["timeoutSeconds", "responseStartTimeoutSeconds"].map((field) => ({
      op: "replace",
      path: `/spec/template/spec/${field}`,
      value: TIMEOUT_SECONDS,
    }));
    dormouse = await install("long", {
      settings: {
        "dormouse-settings": [`TIMEOUT_SECONDS=${TIMEOUT_SECONDS}`],
        "dormouse-database-settings": ["LOCK_WAIT_SECONDS=900"],
      },
      patches: [
        { target: { group: "serving.knative.dev", kind: "Service" }, patch: JSON.stringify(timeouts) },
      ],
    });
    await dormouse.sql("CREATE TABLE item AS SELECT g AS id FROM generate_series(1, 1000) g");
    // It makes a revision; the pods of the one before are gone then.
    await dormouse.kubectl("wait --for=condition=Ready sinkbinding --all --timeout=180s");
    await asleep(dormouse, BACKUP);
  });
  after(() => dormouse?.[Symbol.asyncDispose]());

  it("lasts longer than a request may and than an idle pod lives, in one pod", async () => {
    const lock = await lockTable(dormouse, SCALED_AWAY_SECONDS);

    const answer = await dormouse.call(BACKUP, { method: "POST", headers: pingHeaders("long") });
    const [pod] = await alive(dormouse);
    const run = await endOf(dormouse, "long");
    await lock.end;

    assert.equal(answer.status, 202);
    assert.equal(run.state, "succeeded", JSON.stringify(run));
    assert.equal(run.attempt, 1);
    const tookMs = Date.parse(String(run.finishedAt)) - Date.parse(String(run.acceptedAt));
    assert.ok(tookMs > (SCALED_AWAY_SECONDS - 20) * 1000, `${tookMs} ms`);
    assert.deepEqual(
      (await alive(dormouse)).map(({ metadata }) => metadata.uid),
      [pod?.metadata.uid],
    );
    await asleep(dormouse, BACKUP);
  });

  it("ends without a trace when its pod is deleted, and is made by the pod that follows", async () => {
    const lock = await lockTable(dormouse, 900);
    await dormouse.call(BACKUP, { method: "POST", headers: pingHeaders("deleted") });
    await eventually("the dump", async () => (await createRuns(dormouse, "deleted"))[0]?.state === "running");

    await dormouse.kubectl(`delete pod -l serving.knative.dev/service=${BACKUP}`);
    await dormouse.sql(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid IN (${await lockers(dormouse)})`,
    );
    await lock.end;
    const run = await endOf(dormouse, "deleted");

    assert.equal(run.state, "succeeded", JSON.stringify(run));
    assert.ok(run.attempt > 1, "the deleted pod ended the run itself");
    const { body } = await dormouse.call(BACKUP);
    const { backups, foreign } = JSON.parse(body) as CatalogListing;
    assert.deepEqual(foreign, []);
    assert.equal(backups.filter(({ manifest }) => manifest.trigger.id === "deleted").length, 1);
  });
});

/** Without those of an earlier revision that are still ending. */
async function alive({ podsOf }: Installation): Promise<readonly Pod[]> {
  return (await podsOf(BACKUP)).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
}

/** Keeps pg_dump waiting; resolves when the lock is held, with the promise of its end. */
async function lockTable(
  dormouse: Installation,
  seconds: number,
): Promise<{ readonly end: Promise<unknown> }> {
  const end = dormouse
    .sql(`BEGIN; LOCK TABLE item; SELECT pg_sleep(${seconds}); COMMIT`)
    .catch(() => undefined);
  await eventually("the lock", async () => (await lockers(dormouse)) !== "");
  return { end };
}

function lockers({ sql }: Installation): Promise<string> {
  return sql(
    "SELECT string_agg(pid::text, ',') FROM pg_locks WHERE relation = 'item'::regclass AND mode = 'AccessExclusiveLock' AND granted",
  );
}

function endOf(dormouse: Installation, event: string): Promise<Run> {
  return eventually(`the end of the run of ${event}`, async () => {
    const [run] = await createRuns(dormouse, event);
    return run?.state === "succeeded" || run?.state === "failed" ? run : undefined;
  });
}
