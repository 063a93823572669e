import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { rename, truncate, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import type { Finding, Report } from "../../shared/doctor/finding.ts";
import { eachOnCluster } from "../support/each-on-cluster.ts";
import { problemIn } from "../support/faulty.ts";
import type { FunctionProcess } from "../support/function-process.ts";
import { REPLICAS, startRestoreCluster, type RestoreCluster } from "../support/restore-cluster.ts";
import { askPlan } from "../support/restore-plan.ts";
import { setSeveralStage, type SeveralStage } from "../support/several-stage.ts";
import { setRestoreStage, type RestoreStage } from "../support/restore-stage.ts";
import { runDatabase } from "../../shared/postgres/databases/own-database.ts";

describe("a restore that was killed with the application stopped, and whose record is in doubt", () => {
  let stage: RestoreStage;
  let cluster: RestoreCluster;
  let role: string;

  eachOnCluster((given) => ({ stage, cluster } = given));
  beforeEach(async () => {
    role = `admin_${randomBytes(4).toString("hex")}`;
    await stage.query("postgres", `CREATE ROLE ${role} SUPERUSER LOGIN PASSWORD 'first'`);
  });
  afterEach(() => stage.query("postgres", `DROP ROLE IF EXISTS ${role}`));

  const as = (password: string) => ({
    ...cluster.environment,
    POSTGRESQL_USER: role,
    POSTGRESQL_PASSWORD: password,
  });

  async function assertRefused(restore: FunctionProcess, record: string, told: RegExp): Promise<void> {
    const { blockers } = await askPlan(restore, { filename: stage.backup.name });
    const refused = await problemIn(restore.post({ filename: stage.backup.name }));
    const faults = await leftovers(restore);

    const [kind, detail, remedy] = blockers.flatMap((found) => [found.kind, found.detail, found.remedy]);
    assert.equal(kind, "record-doubtful");
    assert.match(String(detail), told);
    assert.ok(remedy?.includes(relative(stage.path, record)), remedy);
    assert.deepEqual([refused.code, refused.hint], ["restore_blocked", remedy]);
    // Beside it the doctor warns of the database that was being loaded.
    assert.deepEqual(
      faults.filter(({ state }) => state === "fault"),
      [{ check: "leftovers", state: "fault", detail, fix: remedy }],
    );
    assert.deepEqual(cluster.replicas(), [0, 0]);
  }

  /** By the SQL that the doctor gives. */
  async function dropWhatIsLeft(restore: FunctionProcess): Promise<void> {
    const [warning, ...others] = await leftovers(restore);
    assert.deepEqual([warning?.state, others], ["warning", []]);
    const [sql] = /DROP DATABASE .*$/.exec(warning?.fix ?? "") ?? [];
    await stage.query("postgres", String(sql));
  }

  const doubts = [
    [
      "cut off",
      async (record: string) => {
        await truncate(record, 12);
        return stage.start(as("first"));
      },
      /cannot be read: what that restore stopped or changed is unknown$/,
    ],
    [
      "sealed by the password before",
      async () => {
        await stage.query("postgres", `ALTER ROLE ${role} PASSWORD 'second'`);
        return stage.start(as("second"));
      },
      /does not bear our seal: .* \(it says that there were deployment\/server 2, deployment\/frontend 1\)$/,
    ],
  ] as const;

  for (const [what, happen, told] of doubts) {
    it(`keeps the next from taking zero replicas for what there was, until a person has looked: ${what}`, async () => {
      const record = await stage.kill("after step fenced", as("first"));
      assert.deepEqual(cluster.replicas(), [0, 0]);
      const restore = await happen(record);

      await assertRefused(restore, record, told);
      // As docs/when-it-says-no.md has it.
      REPLICAS.forEach((count, at) => [cluster.server, cluster.frontend][at]?.set(count));
      await rename(record, `${record}.aside`);
      const { run, workloads } = await stage.readResult(restore.post({ filename: stage.backup.name }));

      assert.deepEqual(await stage.fingerprint(), stage.original);
      assert.deepEqual(cluster.replicas(), REPLICAS);
      assert.ok(workloads.every(({ ready }) => ready));
      await dropWhatIsLeft(restore);
      assert.deepEqual(await stage.databases(), [stage.database, stage.before(run)]);
    });
  }

  it("is not needed to see that an application had no replicas: plan and result warn", async () => {
    cluster.server.set(0);
    const restore = await stage.start(as("first"));

    const { warnings } = await askPlan(restore, { filename: stage.backup.name });
    const { workloads, ...result } = await stage.readResult(restore.post({ filename: stage.backup.name }));

    assert.ok(
      warnings.some((text) => /deployment\/server has no replicas now/.test(text)),
      warnings.join("; "),
    );
    const [server, frontend] = workloads;
    assert.deepEqual([server?.replicas, server?.ready, frontend?.ready], [0, false, true]);
    assert.match(server?.why ?? "", /no replicas before the restore/);
    assert.match(result.warnings.join("; "), /deployment\/server is not ready: it had no replicas/);
    assert.deepEqual(cluster.replicas(), [0, 1]);
  });
});

describe("an unreadable record of a restore, on a volume that several databases have", () => {
  const OF_NOBODY = `restore-${"b".repeat(24)}`;
  const record = `.dormouse/runs/${OF_NOBODY}.json`;
  let stage: RestoreStage;
  let restore: FunctionProcess;

  before(async () => {
    stage = await setRestoreStage();
    await writeFile(join(stage.path, record), "{");
    restore = await stage.start();
  });
  after(() => stage[Symbol.asyncDispose]());

  const marked = (database: string, run = OF_NOBODY) =>
    stage.query("postgres", `COMMENT ON DATABASE "${database}" IS 'dormouse: under way ${run}'`);
  const blocked = async () => {
    const { blockers } = await askPlan(restore, { filename: stage.backup.name });
    return blockers.filter(({ kind }) => kind === "record-doubtful");
  };

  it("stops nothing if the server does not say that it is under way, and is reported", async () => {
    assert.deepEqual(await blocked(), []);
    const [warning, ...others] = await leftovers(restore);

    assert.deepEqual([warning?.state, others], ["warning", []]);
    assert.match(
      `${warning?.detail}`,
      new RegExp(`record of ${OF_NOBODY} cannot be read: no restore of .* by it`),
    );
    assert.ok(warning?.fix?.includes(record), warning?.fix);
  });

  const names = {
    live: () => stage.database,
    loaded: () => runDatabase(stage.database, "restore", OF_NOBODY),
    "brought back by an undo": () => runDatabase(stage.database, "before", `restore-${"c".repeat(24)}`),
    scratch: () => runDatabase(stage.database, "scratch", OF_NOBODY),
    "another's": () => `${stage.database}_of_others`,
  } as const;
  const says: readonly (readonly [keyof typeof names, boolean])[] = [
    ["live", true],
    ["loaded", true],
    ["brought back by an undo", true],
    // A rehearsal stops nothing.
    ["scratch", false],
    ["another's", false],
  ];
  for (const [which, isBlocked] of says) {
    it(`${isBlocked ? "stops" : "does not stop"} restores where the server says so of the database: ${which}`, async () => {
      const name = names[which]();
      if (name !== stage.database) await stage.query("postgres", `CREATE DATABASE "${name}"`);
      await marked(name);

      assert.equal((await blocked()).length, isBlocked ? 1 : 0);

      await stage.query("postgres", `COMMENT ON DATABASE "${name}" IS NULL`);
      if (name !== stage.database) await stage.query("postgres", `DROP DATABASE "${name}"`);
      assert.deepEqual(await blocked(), []);
    });
  }

  it("stops them where the live database is gone, unless it is another's, or was moved away", async () => {
    await stage.server.dropDatabase(stage.database);
    const [unknown] = await blocked();
    const others = await stage.server.createDatabase(`${stage.database}_of_others`);
    await marked(others);
    const known = await blocked();
    await stage.server.dropDatabase(others);
    await rename(join(stage.path, record), join(stage.path, `${record}.aside`));

    assert.match(`${unknown?.detail}`, /cannot be read: what that restore stopped or changed is unknown/);
    assert.ok(unknown?.remedy.includes(record), unknown?.remedy);
    assert.deepEqual(known, []);
    assert.deepEqual(await blocked(), []);
  });
});

describe("an unreadable record of a restore of another database of the installation", () => {
  const OF_OTHER = `restore-${"d".repeat(24)}`;
  let several: SeveralStage;
  let cluster: RestoreCluster;

  before(async () => {
    several = await setSeveralStage();
    cluster = await startRestoreCluster();
    await writeFile(join(several.path, `.dormouse/runs/${OF_OTHER}.json`), "{");
    const mark = `COMMENT ON DATABASE "${several.databases[0]}" IS 'dormouse: under way ${OF_OTHER}'`;
    await several.server.query("postgres", mark);
  });
  after(async () => {
    await cluster[Symbol.asyncDispose]();
    await several[Symbol.asyncDispose]();
  });

  const blockersOf = async (workloads: string) => {
    const restore = await several.start({ ...cluster.environment, APP_WORKLOADS: workloads });
    return (await askPlan(restore, { filename: "latest", database: several.databases[1] })).blockers;
  };

  it("stops one that has a workload in common with it, and no other", async () => {
    const [first, second] = several.databases;

    const common = await blockersOf("deployment/server");
    const apart = await blockersOf(`${first}=deployment/server; ${second}=deployment/frontend`);

    assert.deepEqual(
      common.map(({ kind }) => kind),
      ["record-doubtful"],
    );
    assert.match(
      common[0]?.detail ?? "",
      new RegExp(`that restore of "${first}", which has workloads in common`),
    );
    assert.deepEqual(apart, []);
  });
});

async function leftovers(restore: FunctionProcess): Promise<readonly Finding[]> {
  const { findings } = (await (await restore.get("/doctor")).json()) as Report;
  return findings.filter(({ check }) => check === "leftovers");
}
