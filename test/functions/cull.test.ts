import assert from "node:assert/strict";
import { execa } from "execa";
import { once } from "node:events";
import { mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { archiveName } from "../../shared/backup/archive-name.ts";
import type { BackupManifest } from "../../shared/backup/manifest.ts";
import type { Run } from "../../shared/backup/run.ts";
import { openVolume } from "../../shared/catalog/open-volume.ts";
import { cull, cullEnvironment, daysOf, DAY_MS, fillVolume, FIRST_AT, reportOf } from "../support/culled.ts";
import { problemIn, until } from "../support/faulty.ts";
import { startFunction, type FunctionProcess } from "../support/function-process.ts";
import { sharedServer } from "../support/postgres.ts";
import { createSample } from "../support/sample-database.ts";
import { contentOf, temporaryFolder, temporaryVolume } from "../support/volume.ts";

const start = (path: string, changes: Readonly<Record<string, string>> = {}) =>
  startFunction("cull", cullEnvironment(path, { NUM_BACKUPS: "2", ...changes }));

const rows = (count: number) => ({
  content: {
    databaseBytes: 1,
    tables: [{ schema: "public", name: "t", rows: count }],
    rows: count,
    largeObjects: 0,
    extensions: [],
  },
});

describe("the cull function", () => {
  it("removes what no rule keeps, oldest first, and says why each goes and stays", async () => {
    await using volume = await temporaryVolume();
    const backups = await fillVolume(volume.path, 4);
    await using culler = await start(volume.path);

    const report = await cull(culler);

    assert.deepEqual(daysOf(report.removed), ["11-01", "11-02"]);
    assert.deepEqual(report.removed[0], {
      name: backups[0]?.name,
      database: "hets",
      sizeBytes: backups[0]?.sizeBytes,
      reason: "not among the newest 2",
    });
    assert.equal(report.bytesFreed, (backups[0]?.sizeBytes ?? 0) + (backups[1]?.sizeBytes ?? 0));
    assert.equal(report.kept, 2);
    assert.deepEqual(
      report.databases[0]?.keep.map(({ reasons }) => reasons.map(({ rule }) => rule)),
      [["newest_verified", "newest"], ["newest"]],
    );
    assert.deepEqual(await readdir(volume.path), [".dormouse", "2025-11-03", "2025-11-04"]);
  });

  it("shows the same plan on a dry run and removes nothing", async () => {
    await using volume = await temporaryVolume();
    await fillVolume(volume.path, 5);
    await using culler = await start(volume.path);
    const before = await contentOf(volume.path);

    const dry = await cull(culler, { dryRun: true });
    const unchanged = await contentOf(volume.path);
    const real = await cull(culler);

    assert.deepEqual(unchanged, before);
    assert.deepEqual([dry.dryRun, dry.removed, dry.bytesFreed], [true, [], 0]);
    assert.deepEqual(dry.databases, real.databases);
    assert.deepEqual(daysOf(dry.databases[0]?.remove ?? []), daysOf(real.removed));
  });

  it("is woken by a ping and by a backup that was completed, and answers 202 with nothing", async () => {
    await using volume = await temporaryVolume();
    await fillVolume(volume.path, 4);
    await using culler = await start(volume.path, { MAX_REMOVALS: "1" });

    const ping = await culler.ping();
    const first = await endOf(culler, 1);
    const completed = await sendEvent(culler, "dev.dormouse.backup.completed");
    const second = await endOf(culler, 2);

    assert.deepEqual([ping.status, await ping.text()], [202, ""]);
    assert.deepEqual([completed.status, await completed.text()], [202, ""]);
    assert.deepEqual([first, second], ["2025-11-01", "2025-11-02"]);
  });

  it("takes what else Dormouse tells and does nothing, and refuses what is not Dormouse's", async () => {
    await using volume = await temporaryVolume();
    await fillVolume(volume.path, 4);
    await using culler = await start(volume.path);
    const before = await contentOf(volume.path);

    const ours = ["dev.dormouse.backup.failed", "dev.dormouse.mirror.failed", "dev.dormouse.cull.completed"];
    const taken = await Promise.all(ours.map((type) => sendEvent(culler, type)));
    const foreign = await sendEvent(culler, "com.example.backup.failed");

    assert.deepEqual(await Promise.all(taken.map(async (answer) => [answer.status, await answer.text()])), [
      [202, ""],
      [202, ""],
      [202, ""],
    ]);
    assert.equal(foreign.status, 422);
    assert.deepEqual(await contentOf(volume.path), before);
  });

  it("is woken by each of two backups that were completed within one minute", async () => {
    await using volume = await temporaryVolume();
    await fillVolume(volume.path, 4);
    await using culler = await start(volume.path, { MAX_REMOVALS: "1" });
    const time = new Date().toISOString();

    await sendEvent(culler, "dev.dormouse.backup.completed", { "ce-id": "a", "ce-time": time });
    const first = await endOf(culler, 1);
    await sendEvent(culler, "dev.dormouse.backup.completed", { "ce-id": "b", "ce-time": time });
    const second = await endOf(culler, 2);

    assert.deepEqual([first, second], ["2025-11-01", "2025-11-02"]);
  });

  it("goes on with the next run where MAX_REMOVALS ended this one", async () => {
    await using volume = await temporaryVolume();
    await fillVolume(volume.path, 5);
    await using culler = await start(volume.path, { MAX_REMOVALS: "2" });

    const reports = [await cull(culler), await cull(culler), await cull(culler)];

    assert.deepEqual(
      reports.map(({ removed, remaining }) => [daysOf(removed), daysOf(remaining)]),
      [
        [["11-01", "11-02"], ["11-03"]],
        [["11-03"], []],
        [[], []],
      ],
    );
  });

  it("keeps databases apart whose names hold one another, or dates", async () => {
    await using volume = await temporaryVolume();
    const names = ["app", "app2", "app-test", "app2025-11-01-01-00", "2025", "a/p%p"];
    for (const [index, database] of names.entries())
      await fillVolume(volume.path, 2 + index, () => ({ database }));
    await using culler = await start(volume.path);

    const report = await cull(culler);

    const catalog = await volume.catalog.list(new AbortController().signal);
    for (const [index, database] of names.entries()) {
      const left = catalog.backups.filter((backup) => backup.database === database);
      assert.deepEqual(
        left.map(({ sequence }) => sequence),
        [2 + index, 1 + index],
        database,
      );
      const plan = report.databases.find((each) => each.database === database);
      assert.deepEqual(daysOf(plan?.remove ?? []).length, index, database);
    }
  });

  it("pins and unpins by name, twice as well as once", async () => {
    await using volume = await temporaryVolume();
    const [oldest] = await fillVolume(volume.path, 4);
    await using culler = await start(volume.path);
    const name = oldest?.name;

    const pinned = (await (await culler.post({ pin: name, reason: "the audit" })).json()) as BackupManifest;
    await culler.post({ pin: name });
    const kept = await cull(culler);
    const unpinned = (await (await culler.post({ unpin: name })).json()) as BackupManifest;
    await culler.post({ unpin: name });
    const gone = await cull(culler);

    assert.deepEqual([pinned.pin?.reason, pinned.pin?.by], ["the audit", "anyone"]);
    assert.deepEqual(daysOf(kept.removed), ["11-02"]);
    assert.equal(kept.databases[0]?.keep.at(-1)?.reasons[0]?.detail, "pinned by anyone: the audit");
    assert.equal(unpinned.pin, undefined);
    assert.deepEqual(daysOf(gone.removed), ["11-01"]);
  });

  it("asks for a token before it pins, unpins or acknowledges, and culls without one", async () => {
    await using volume = await temporaryVolume();
    const [oldest] = await fillVolume(volume.path, 3);
    const tokens = join(volume.path, ".dormouse/tokens");
    await writeFile(tokens, "ada:a-token-of-enough-characters\n");
    await using culler = await start(volume.path, { AUTH: "token", AUTH_TOKEN_FILE: tokens });
    const name = oldest?.name;
    const before = await contentOf(volume.path);

    for (const body of [{ pin: name }, { unpin: name }, { acknowledge: name }]) {
      const none = await problemIn(culler.post(body));
      const wrong = await problemIn(
        culler.post(body, { authorization: "Bearer another-token-of-some-length" }),
      );
      assert.deepEqual([none.status, wrong.status], [401, 401], JSON.stringify(body));
    }
    const unchanged = await contentOf(volume.path);
    const right = { authorization: "Bearer a-token-of-enough-characters" };
    const pinned = (await (await culler.post({ pin: name }, right)).json()) as BackupManifest;
    const ping = await culler.ping({ data: { pin: name } });

    assert.deepEqual(unchanged, before);
    assert.equal(pinned.pin?.by, "ada");
    assert.equal(ping.status, 400);
    assert.deepEqual((await cull(culler)).removed, []);
  });

  it("starts with no AUTH but token and none, and not without the file of tokens", async () => {
    await using volume = await temporaryVolume();

    await assert.rejects(start(volume.path, { AUTH: "kubernetes" }), /AUTH is .*token, none/);
    await assert.rejects(start(volume.path, { AUTH: "" }), /AUTH is not set/);
    await assert.rejects(start(volume.path, { AUTH: "token" }), /AUTH=token needs AUTH_TOKEN_FILE/);
  });

  it("culls nothing while the newest backup is suspect, until somebody acknowledges it", async () => {
    await using volume = await temporaryVolume();
    await using sink = await openSink();
    const backups = await fillVolume(volume.path, 5, (index) => rows(index < 3 ? 1_000 : 10));
    await using culler = await start(volume.path, { K_SINK: sink.url });
    const newest = backups.at(-1)?.name ?? "";

    const frozen = await cull(culler);
    const acknowledged = await culler.post({ acknowledge: newest, reason: "the archive moved out" });
    const lifted = await cull(culler);

    assert.deepEqual([frozen.removed, frozen.refused[0]?.rule], [[], "newest_suspect"]);
    assert.match(frozen.refused[0]?.detail ?? "", /table public\.t has 10 rows instead of 1000/);
    const manifest = (await acknowledged.json()) as BackupManifest;
    assert.equal(manifest.acknowledged?.reason, "the archive moved out");
    assert.deepEqual(daysOf(lifted.removed), ["11-01", "11-02", "11-03"]);
    const suspect = sink.events.filter(({ type }) => type === "dev.dormouse.backup.suspect");
    assert.deepEqual(
      suspect.map(({ subject, data }) => [subject, data["database"]]),
      [[newest, "hets"]],
    );
  });

  it("tells of each database whose newest backup is too old, with each run", async () => {
    await using volume = await temporaryVolume();
    await using sink = await openSink();
    await fillVolume(volume.path, 2);
    await fillVolume(volume.path, 1, () => ({ database: "fresh", startedAt: new Date() }));
    await using culler = await start(volume.path, { K_SINK: sink.url, STALE_HOURS: "" });
    const newest = "2025-11-02/hets2025-11-02-01-00.bak";

    const dry = await cull(culler, { dryRun: true });
    await cull(culler);

    const stale = sink.events.filter(({ type }) => type === "dev.dormouse.backup.stale");
    assert.deepEqual(
      stale.map(({ subject, data }) => [subject, data["database"], data["place"]]),
      [[newest, "hets", "volume"]],
    );
    const plans = new Map(dry.databases.map(({ database, staleness }) => [database, staleness?.newest]));
    assert.deepEqual([plans.get("fresh"), plans.get("hets")], [undefined, newest]);
  });

  it("tells the world what it removed and why, but not of a dry run", async () => {
    await using volume = await temporaryVolume();
    await using sink = await openSink();
    await fillVolume(volume.path, 3);
    await using culler = await start(volume.path, { K_SINK: sink.url });

    await cull(culler, { dryRun: true });
    const report = await cull(culler);

    assert.deepEqual(
      sink.events.map(({ type, subject, source }) => [type, subject, source]),
      [["dev.dormouse.cull.completed", "volume", "/dormouse/cull"]],
    );
    const { removed, bytesFreed, run } = sink.events[0]?.data ?? {};
    assert.deepEqual([removed, bytesFreed], [report.removed, report.bytesFreed]);
    assert.match(String(run), /^cull-/);
    assert.match(sink.events[0]?.id ?? "", /^cull-[0-9a-f]{24}-completed-volume$/);
  });

  it("never counts and never touches what is not a verified backup of ours", async () => {
    await using volume = await temporaryVolume();
    await fillVolume(volume.path, 4);
    await using culler = await start(volume.path, { ADOPT_PER_RUN: "0" });
    const plan = (await cull(culler, { dryRun: true })).databases;
    const strangers = await addStrangers(volume.path);

    const report = await cull(culler);

    assert.deepEqual(report.databases, plan);
    assert.equal(report.foreignEntries + report.legacyFiles, strangers.length);
    const left = await readdir(volume.path, { recursive: true });
    for (const stranger of strangers) assert.ok(left.includes(stranger), stranger);
  });

  it("adopts legacy files that prove whole, so many a run, and reports those that do not", async () => {
    await using volume = await temporaryVolume();
    await using old = await oldPod();
    const { bytes } = old;
    const put = async (day: number, content: Uint8Array) => {
      const name = archiveName("hets", new Date(FIRST_AT.getTime() + day * DAY_MS));
      await mkdir(join(volume.path, name, ".."), { recursive: true });
      await writeFile(join(volume.path, name), content);
      return name;
    };
    const names = [await put(0, bytes), await put(1, bytes), await put(2, bytes)];
    const cutShort = await put(3, bytes.subarray(0, 50));
    await fillVolume(volume.path, 1, () => ({ startedAt: new Date(FIRST_AT.getTime() + 9 * DAY_MS) }));
    await using culler = await start(volume.path, { ADOPT_PER_RUN: "3", SUSPECT_DROP_PERCENT: "100" });

    const first = await cull(culler);
    const second = await cull(culler);
    const third = await cull(culler);

    assert.deepEqual([first.removed, first.adoption?.adopted], [[], [names[2], names[1]]]);
    assert.deepEqual(first.adoption?.damaged, [
      { name: cutShort, why: "is no whole gzip file: unexpected end of file" },
    ]);
    assert.equal(first.adoption?.waiting, 1);
    // Two adopted and one of ours are three: the oldest goes. The last legacy file is adopted, to go with the next run.
    assert.deepEqual([daysOf(second.removed), second.adoption?.adopted], [["11-02"], [names[0]]]);
    assert.deepEqual([daysOf(third.removed), third.adoption?.waiting], [["11-01"], 0]);
    const { backups, legacy } = await volume.catalog.list(new AbortController().signal);
    assert.deepEqual(daysOf(backups), ["11-10", "11-03"]);
    assert.deepEqual(
      legacy.map(({ name }) => name),
      [cutShort],
    );
    assert.equal(await old.restore(backups[1]?.manifest, volume.path), 200);
  });

  it("refuses what it does not know, with every mistake, and changes nothing", async () => {
    await using volume = await temporaryVolume();
    const [first] = await fillVolume(volume.path, 4);
    await using culler = await start(volume.path);
    const before = await contentOf(volume.path);
    const unknown = archiveName("hets", new Date("2020-01-01T00:00:00Z"));

    const cases: readonly (readonly [unknown, number, RegExp])[] = [
      [{ dryRun: "yes" }, 400, /dryRun/],
      [{ drRun: true }, 400, /drRun/],
      [{ pin: "../../etc/passwd" }, 400, /pin: is not the name of a backup/],
      [{ pin: first?.name, unpin: first?.name }, 400, /unpin/],
      [{ unpin: first?.name, reason: "none" }, 400, /reason/],
      [{ acknowledge: first?.name, dryRun: true }, 400, /dryRun/],
      [{ pin: first?.name, reason: "" }, 400, /reason/],
      [[], 400, /the body/],
      [{ pin: unknown }, 404, /there is no backup/],
      [{ acknowledge: unknown }, 404, /there is no backup/],
    ];
    for (const [body, status, detail] of cases) {
      const problem = await problemIn(culler.post(body));
      assert.equal(problem.status, status, JSON.stringify(body));
      assert.match(problem.detail, detail);
    }
    assert.deepEqual(await contentOf(volume.path), before);
  });

  it("refuses a configuration that it cannot follow", async () => {
    await using folder = await temporaryFolder();
    await openVolume(folder.path);
    const changes = {
      RETENTION_TZ: "Mars/Olympus",
      KEEP_DAILY: "-1",
      KEEP_WEEKLY: "two",
      MAX_REMOVALS: "0",
      SUSPECT_DROP_PERCENT: "101",
    };

    await assert.rejects(start(folder.path, changes), (error: Error) => {
      for (const name of Object.keys(changes)) assert.ok(error.message.includes(`${name} is `), name);
      return true;
    });
  });

  it("makes one run of one event, and another answer of none", async () => {
    await using volume = await temporaryVolume();
    await fillVolume(volume.path, 3);
    await using culler = await start(volume.path);
    const key = { "idempotency-key": "once" };

    const [one, two] = await Promise.all([culler.post({}, key), culler.post({}, key)]);
    const again = await problemIn(culler.post({ dryRun: true }, key));

    assert.deepEqual(await reportOf(one), await reportOf(two));
    assert.equal(again.code, "idempotency_key_reused");
  });
});

/** The day of the backup that the run with this number removed. */
async function endOf(process: FunctionProcess, number: number): Promise<string> {
  const ends = () => process.lines.filter(({ message }) => message === "run succeeded");
  await until(() => ends().length >= number);
  const record = await process.get(`/runs/${ends()[number - 1]?.["run"] as string}`);
  const { result } = (await record.json()) as Run;
  return (result as { removed: { name: string }[] }).removed[0]?.name.slice(0, 10) ?? "";
}

function sendEvent(
  process: FunctionProcess,
  type: string,
  more: Record<string, string> = {},
): Promise<Response> {
  const headers = {
    "ce-id": "1",
    "ce-source": "/dormouse/backup/hets",
    "ce-type": type,
    "ce-specversion": "1.0",
    ...more,
  };
  return process.post({ whatever: "a manifest" }, headers);
}

/** One of each kind that a volume has been seen to hold. */
async function addStrangers(path: string): Promise<string[]> {
  const day = join(path, "2025-11-01");
  const bak = (minute: string) => `hets2025-11-01-${minute}.bak`;
  await mkdir(join(day, bak("02-00")));
  await symlink("/etc/hostname", join(day, bak("03-00")));
  await writeFile(join(day, bak("04-00")), "");
  await writeFile(join(day, bak("05-00")), "PGDMP and no manifest");
  await writeFile(join(day, `${bak("06-00")}.json`), "{}");
  await writeFile(join(day, bak("07-00")), "PGDMP");
  await writeFile(join(day, `${bak("07-00")}.json`), "not json");
  await writeFile(join(day, bak("08-00")), gzipSync("no dump"));
  await writeFile(join(day, ".tmp-backup-1"), "half");
  await writeFile(join(path, "hets.bak"), "PGDMP");
  await mkdir(join(path, "other"));
  return [
    ...["02-00", "03-00", "04-00", "05-00"].map((minute) => `2025-11-01/${bak(minute)}`),
    `2025-11-01/${bak("06-00")}.json`,
    `2025-11-01/${bak("07-00")}.json`,
    `2025-11-01/${bak("08-00")}`,
    "2025-11-01/.tmp-backup-1",
    "hets.bak",
    "other",
  ];
}

/** A database, and what the old pod would have made of it. */
async function oldPod() {
  const server = await sharedServer();
  const database = await server.createDatabase();
  const client = await server.connect(database);
  await createSample(client);
  await client.end();
  const env = {
    PATH: `${server.binDir}:${process.env["PATH"]}`,
    PGHOST: server.host,
    PGPORT: `${server.port}`,
    PGUSER: server.user,
    PGPASSWORD: server.password,
  };
  const { stdout } = await execa(`${server.binDir}/pg_dump`, [database], { env, encoding: "buffer" });
  return {
    bytes: gzipSync(stdout),
    /** By the command of the manifest; answers with the number of owners. */
    async restore(manifest: BackupManifest | undefined, cwd: string): Promise<number | undefined> {
      await execa("sh", ["-c", manifest?.restoreByHand ?? "false"], { cwd, env });
      const sql = "SELECT count(*)::int AS count FROM hire.owner";
      const { rows: found } = await server.query("hets_restored", sql);
      await server.dropDatabase("hets_restored");
      return (found as { count: number }[])[0]?.count;
    },
    [Symbol.asyncDispose]: () => server.dropDatabase(database),
  };
}

type Received = {
  readonly id: string;
  readonly type: string;
  readonly source: string;
  readonly subject: string;
  readonly data: Readonly<Record<string, unknown>>;
};

/** A sink that takes every event. */
async function openSink() {
  const events: Received[] = [];
  const text = (headers: IncomingHttpHeaders, name: string) => decodeURIComponent(String(headers[name]));
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { headers } = request;
      const data = JSON.parse(Buffer.concat(chunks).toString()) as Received["data"];
      const [id, type, source] = ["ce-id", "ce-type", "ce-source"].map((name) => text(headers, name));
      events.push({
        id: id ?? "",
        type: type ?? "",
        source: source ?? "",
        subject: text(headers, "ce-subject"),
        data,
      });
      response.statusCode = 202;
      response.end();
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    events,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
