import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Finding, Report } from "../../shared/doctor/finding.ts";
import { cullEnvironment } from "../support/culled.ts";
import { backupEnvironment, startFunction, type FunctionProcess } from "../support/function-process.ts";
import { sharedServer } from "../support/postgres.ts";
import { setRestoreStage, type RestoreStage } from "../support/restore-stage.ts";
import {
  embeddedStore,
  makeBucket,
  mirrorEnvironment,
  storeProxy,
  type OwnStore,
  type Seen,
} from "../support/s3.ts";
import { temporaryFolder } from "../support/volume.ts";

describe("GET /doctor of the backup function", () => {
  it("finds nothing at fault where a backup would succeed, and says that no sink is set", async () => {
    await using volume = await temporaryFolder();
    await using backup = await startFunction(
      "backup",
      backupEnvironment(await sharedServer(), "postgres", volume.path),
    );

    const { healthy, findings } = await toReport(backup);

    assert.equal(healthy, true, JSON.stringify(findings));
    assert.deepEqual(states(findings), {
      volume: "good",
      database: "good",
      callers: "warning",
      sink: "warning",
    });
  });

  it("leaves nothing on the volume", async () => {
    await using volume = await temporaryFolder();
    await using backup = await startFunction(
      "backup",
      backupEnvironment(await sharedServer(), "postgres", volume.path),
    );

    await toReport(backup);

    const { foreign, backups } = (await (await backup.get("/")).json()) as Record<string, unknown[]>;
    assert.deepEqual([foreign, backups], [[], []]);
  });

  it("says of each fault what to change", async () => {
    await using volume = await temporaryFolder();
    const environment = backupEnvironment(await sharedServer(), "no_such_database", volume.path);
    await using backup = await startFunction("backup", { ...environment, K_SINK: "http://127.0.0.1:9/" });

    const { healthy, findings } = await toReport(backup);

    assert.equal(healthy, false);
    assert.deepEqual(states(findings), {
      volume: "good",
      database: "fault",
      callers: "warning",
      sink: "fault",
    });
    for (const { state, fix, detail } of findings) if (state === "fault") assert.ok(fix, detail);
  });
});

describe("GET /doctor where a role may not read all", () => {
  it("finds what ALLOW_INCOMPLETE leaves out no fault, and says else by which grant it is none", async () => {
    const server = await sharedServer();
    await using volume = await temporaryFolder();
    const database = await server.createDatabase();
    await server.query(
      database,
      `CREATE ROLE "the doctor's" LOGIN PASSWORD 'x'; CREATE SCHEMA "Closed"; CREATE TABLE "Closed".shut (a int)`,
    );
    const reader = { POSTGRESQL_USER: "the doctor's", POSTGRESQL_PASSWORD: "x" };
    const environment = { ...backupEnvironment(server, database, volume.path), ...reader };
    try {
      await using strict = await startFunction("backup", environment);
      await using lax = await startFunction("backup", {
        ...environment,
        ALLOW_INCOMPLETE: "unreadable-tables",
      });
      const ofDatabase = async (backup: FunctionProcess) => {
        const { healthy, findings } = await toReport(backup);
        return {
          healthy,
          found: findings.find(({ detail }) => detail.startsWith("the role cannot dump")),
        };
      };

      const refused = await ofDatabase(strict);
      const problem = (await (await strict.post()).json()) as {
        readonly code: string;
        readonly hint: string;
      };
      const accepted = await ofDatabase(lax);
      const grant = /^GRANT [^;]+; GRANT [^;]+(?=; or)/.exec(problem.hint)?.[0] ?? "";
      await server.query(database, grant);
      const given = await ofDatabase(strict);

      assert.deepEqual([refused.healthy, refused.found?.state], [false, "fault"]);
      assert.deepEqual([accepted.healthy, accepted.found?.state], [true, "warning"]);
      assert.equal(problem.code, "backup_incomplete");
      assert.equal(refused.found?.fix, problem.hint);
      assert.deepEqual([given.healthy, given.found], [true, undefined]);
    } finally {
      await server.dropDatabase(database);
      await server.query("postgres", `DROP ROLE "the doctor's"`);
    }
  });
});

/** Of the object, not of the list. */
const isRead = ({ method, path }: Seen) => method === "GET" && path.includes("/doctor-");

describe("GET /doctor with a bucket", () => {
  let store: OwnStore;
  before(async () => {
    store = await embeddedStore();
  });
  after(() => store[Symbol.asyncDispose]());

  async function setUp(changes: Readonly<Record<string, string>> = {}) {
    const [bucket, proxy, volume] = await Promise.all([
      makeBucket(store),
      storeProxy(store.port),
      temporaryFolder(),
    ]);
    const environment = { ...mirrorEnvironment(bucket, proxy.endpoint), S3_PREFIX: "hets", ...changes };
    const cull = await startFunction("cull", cullEnvironment(volume.path, environment));
    return {
      bucket,
      proxy,
      report: () => toReport(cull),
      async [Symbol.asyncDispose]() {
        for (const each of [cull, bucket, proxy, volume]) await each[Symbol.asyncDispose]();
      },
    };
  }

  it("sends an object, reads it back and removes it", async () => {
    await using given = await setUp();

    const { healthy, findings } = await given.report();

    assert.equal(healthy, true, JSON.stringify(findings));
    assert.deepEqual(states(findings), { volume: "good", mirror: "good", callers: "warning" });
    assert.deepEqual(
      given.proxy.seen.map(({ method }) => method),
      ["GET", "PUT", "HEAD", "GET", "DELETE"],
    );
    for (const { path } of given.proxy.seen.slice(1)) assert.match(path, /\/hets\/doctor-/);
    assert.deepEqual(await given.bucket.keys(), []);
  });

  it("finds a cull at fault that may not remove", async () => {
    await using given = await setUp();
    given.proxy.set(({ method }) =>
      method === "DELETE" ? { answer: 403, code: "AccessDenied" } : undefined,
    );

    const { healthy, findings } = await given.report();

    assert.equal(healthy, false);
    const fault = findings.find(({ state }) => state === "fault");
    assert.match(fault?.detail ?? "", /delete in bucket/);
    assert.match(fault?.fix ?? "", /s3:DeleteObject/);
  });

  it("leaves one object where nothing can be removed, however often it is asked", async () => {
    await using given = await setUp();
    given.proxy.set(({ method }) =>
      method === "DELETE" ? { answer: 403, code: "AccessDenied" } : undefined,
    );

    for (let time = 1; time <= 3; time++) await given.report();

    assert.deepEqual(await given.bucket.keys(), ["hets/doctor-cull.bak.json"]);
  });

  it("finds no fault because another examination has removed the object", async () => {
    await using given = await setUp();
    let isRemoved = false;
    given.proxy.set((request) => {
      if (!isRead(request) || isRemoved) return undefined;
      isRemoved = true;
      return { answer: 404, code: "NoSuchKey" };
    });

    const { findings } = await given.report();

    assert.ok(isRemoved);
    assert.deepEqual(
      states(findings),
      { volume: "good", mirror: "good", callers: "warning" },
      JSON.stringify(findings),
    );
    assert.deepEqual(await given.bucket.keys(), []);
  });

  it("finds a store at fault that never has what it took", async () => {
    await using given = await setUp();
    given.proxy.set((request) => (isRead(request) ? { answer: 404, code: "NoSuchKey" } : undefined));

    assert.equal((await given.report()).healthy, false);
  });

  it("warns when it may not send, which only a backup needs, and lists", async () => {
    await using given = await setUp();
    given.proxy.set(({ method }) => (method === "PUT" ? { answer: 403, code: "AccessDenied" } : undefined));

    const { healthy, findings } = await given.report();

    assert.equal(healthy, true, JSON.stringify(findings));
    const [works, warning] = findings.filter(({ check }) => check === "mirror");
    assert.match(works?.detail ?? "", /list, head, get, delete work/);
    assert.match(warning?.detail ?? "", /put in bucket/);
    assert.match(warning?.fix ?? "", /s3:PutObject/);
  });

  it("finds a store at fault that gives back other bytes, and leaves nothing there", async () => {
    await using given = await setUp();
    given.proxy.set((request) => (isRead(request) ? { corrupt: true } : undefined));

    const { healthy, findings } = await given.report();

    assert.equal(healthy, false);
    assert.match(findings.find(({ state }) => state === "fault")?.detail ?? "", /other bytes/);
    assert.deepEqual(await given.bucket.keys(), []);
  });

  it("says what to change where there is no such bucket, and tells no key", async () => {
    await using given = await setUp({ S3_BUCKET: "no-such-bucket" });

    const { healthy, findings } = await given.report();

    assert.equal(healthy, false);
    assert.match(findings.find(({ check }) => check === "mirror")?.fix ?? "", /S3_BUCKET/);
    assert.doesNotMatch(JSON.stringify(findings), /S3RVER/);
  });
});

async function toReport(process: FunctionProcess): Promise<Report> {
  const response = await process.get("/doctor");
  assert.equal(response.status, 200);
  return (await response.json()) as Report;
}

function states(findings: readonly Finding[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    findings
      .filter(({ detail }) => !detail.includes("security fixes"))
      .map(({ check, state }) => [check, state]),
  );
}

describe("GET /doctor of the restore function", () => {
  let stage: RestoreStage;
  before(async () => {
    stage = await setRestoreStage();
  });
  after(() => stage[Symbol.asyncDispose]());

  it("finds nothing in the way of a restore where there is nothing", async () => {
    const { healthy, findings } = await toReport(await stage.start());

    assert.equal(healthy, true, JSON.stringify(findings));
    const said = findings.filter(({ check }) => check === "restore").map(({ state, fix }) => [state, fix]);
    assert.equal(said.length, 2);
    assert.deepEqual(said[0], ["good", undefined]);
    assert.match(String(said[1]), /^warning,use a role with CREATEDB .* docs\/roles\.md/);
  });

  it("says that the role may not create databases, and that it does not own the live one", async () => {
    const owner = await toReport(await stage.startAsOwner());
    await stage.query("postgres", "ALTER DATABASE :db OWNER TO postgres");
    const stranger = await toReport(await stage.startAsOwner());

    const said = [owner, stranger].map(({ findings }) =>
      findings.filter(({ check }) => check === "restore").map(({ detail }) => detail),
    );
    assert.deepEqual(said, [
      ["the role may not create or rename databases"],
      ["the role may not create or rename databases", "the role does not own the live database"],
    ]);
    assert.deepEqual([owner.healthy, stranger.healthy], [false, false]);
  });
});
