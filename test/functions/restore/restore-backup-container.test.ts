import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { after, before, describe, it } from "node:test";
import type { CatalogListing } from "../../../shared/catalog/catalog.ts";
import { containerTree, type ContainerTree } from "../../support/container-tree.ts";
import { cullEnvironment } from "../../support/culled.ts";
import { problemIn } from "../../support/faulty.ts";
import { restoreEnvironment, startFunction } from "../../support/function-process.ts";
import { sharedServer, type TestServer } from "../../support/postgres.ts";
import { askPlan } from "../../support/restore-plan.ts";
import { createSample, fingerprint, fingerprintOf } from "../../support/sample-database.ts";
import { readContent, temporaryFolder, type Removed } from "../../support/volume.ts";

type Answer = Readonly<Record<string, unknown>> & { readonly code?: string };

/** A volume as backup-container left it over the years, and nothing of ours. */
describe("the volume of backup-container", () => {
  let server: TestServer;
  let database: string;
  let volume: Removed;
  let tree: ContainerTree;
  let original: Readonly<Record<string, string>>;
  let content: Record<string, string>;
  const names = {} as Record<
    | "daily"
    | "flat"
    | "alone"
    | "weekly"
    | "monthly"
    | "crlf"
    | "prefix"
    | "suffix"
    | "corrupt"
    | "cut"
    | "writing"
    | "mongo"
    | "custom",
    string
  >;

  before(async () => {
    server = await sharedServer();
    database = await server.createDatabase();
    volume = await temporaryFolder();
    tree = containerTree(server, volume.path);
    const client = await server.connect(database);
    await createSample(client);
    original = await fingerprint(client);
    await client.end();
    await fill();
    content = await readContent(volume.path);
  });
  after(async () => {
    const sql = "SELECT datname FROM pg_database WHERE starts_with(datname, $1)";
    const { rows } = await server.query("postgres", sql, [database]);
    for (const { datname } of rows as { datname: string }[]) await server.dropDatabase(datname);
    await volume[Symbol.asyncDispose]();
  });

  async function fill(): Promise<void> {
    const stem = `postgresql-${database}`;
    Object.assign(names, {
      alone: tree.name(stem, "2024-03-01"),
      flat: tree.name(stem, "2024-03-02"),
      weekly: tree.name(stem, "weekly/2024-03-03"),
      monthly: tree.name(stem, "monthly/2024-03-03"),
      daily: tree.name(stem, "daily/2024-03-05"),
      crlf: tree.name(stem, "daily/2024-03-04"),
      prefix: tree.name(`${stem}2`, "daily/2024-03-06"),
      suffix: tree.name(`postgresql-my-${database}`, "daily/2024-03-06"),
      corrupt: tree.name(stem, "daily/2024-03-07"),
      cut: tree.name(stem, "daily/2024-03-08"),
      writing: `${tree.name(stem, "daily/2024-03-09")}.in_progress`,
      mongo: tree.name("mongodb-app", "daily/2024-03-05"),
      custom: tree.name(stem, "daily/2024-03-09", "02-00-00"),
    });
    await tree.dump(database, names.alone, "alone");
    await tree.dump(database, names.flat, "one");
    await tree.dump(database, names.weekly, "members");
    await tree.copy(names.weekly, names.monthly);
    await tree.dump(database, names.daily, "members");
    for (const name of [names.prefix, names.suffix, names.writing]) await tree.copy(names.flat, name);
    await tree.change(names.flat, names.crlf, (script) => script.replaceAll("\n", "\r\n"));
    const whole = await tree.bytes(names.daily);
    await tree.write(names.corrupt, flipped(whole));
    // At the end of a row: only the missing end shows it.
    await tree.change(names.flat, names.cut, (script) => script.slice(0, script.indexOf("\n200\t") + 1));
    await tree.write(names.mongo, gzipSync("m\x99\xe2\x81 an archive of mongodump".repeat(40)));
    await tree.dump(database, names.custom, "customInGzip");
  }

  const startRestore = (more: Readonly<Record<string, string>> = {}) =>
    startFunction("restore", { ...restoreEnvironment(server, database, volume.path), ...more });

  it("is listed by the content of each file, with its database and how that was decided", async () => {
    await using restore = await startRestore();

    const { legacy, foreign } = (await (await restore.get("/")).json()) as CatalogListing;

    const ours = ["cut", "corrupt", "daily", "crlf", "weekly", "monthly", "flat", "alone"] as const;
    assert.deepEqual(
      new Set(
        legacy.map(({ name, format, database: of, decision }) =>
          [name, format, of, decision?.isDecided].join(" "),
        ),
      ),
      new Set([
        ...ours.map((each) => `${names[each]} gzip-sql ${database} true`),
        `${names.prefix} gzip-sql postgresql-${database}2 false`,
        `${names.suffix} gzip-sql postgresql-my-${database} false`,
      ]),
    );
    assert.ok(
      legacy.every(({ sizeBytes, minuteAt }) => sizeBytes > 100 && String(minuteAt).startsWith("2024-03-0")),
    );
    assert.deepEqual(
      new Map(foreign.map(({ path, reason }) => [path, reason])),
      new Map([
        [names.mongo, "archive_without_manifest"],
        [names.custom, "archive_without_manifest"],
        [names.writing, "unknown_file"],
      ]),
    );
    assert.match(
      foreign.find(({ path }) => path === names.custom)?.detail ?? "",
      /gzip of pg_dump's custom format/,
    );
  });

  it("tells the databases of the configured server from those of others", async () => {
    await using restore = await startRestore({ DATABASE_SERVICE_NAME: "postgresql.tools.svc" });

    const { legacy } = (await (await restore.get("/")).json()) as CatalogListing;

    const databaseOf = (wanted: string) => legacy.find(({ name }) => name === wanted)?.database;
    assert.deepEqual([names.daily, names.prefix, names.suffix].map(databaseOf), [
      database,
      `${database}2`,
      `my-${database}`,
    ]);
  });

  it("is restored by name, each kind of file by its value and without its roles", async () => {
    await using restore = await startRestore();
    for (const kind of ["alone", "flat", "weekly", "monthly", "daily", "crlf"] as const) {
      const into = `${database}_${kind}`;

      const answer = await restore.post({ filename: names[kind], into });

      assert.equal(answer.status, 200, `${kind} ${JSON.stringify(await answer.json())}`);
      // What changed the line ends of the file changed those within a name as well.
      const found = Object.entries(await fingerprintOf(server, into)).map(([what, value]) => [
        what.replace("\r\n", "\n"),
        value,
      ]);
      assert.deepEqual(Object.fromEntries(found), original, kind);
    }
  });

  it("says in the plan of which database a file is, and takes an operator's word for it", async () => {
    await using restore = await startRestore();
    const plan = (filename: string) => askPlan(restore, { filename });

    const { warnings, blockers } = await plan(names.flat.slice("2024-03-02/".length));
    assert.deepEqual(blockers, []);
    assert.match(warnings.join("\n"), /no other server than postgresql has one/);
    assert.match((await plan(names.suffix)).warnings.join("\n"), /does not show where the server's ends/);
    const other = await problemIn(restore.post({ filename: names.prefix, dryRun: true }));
    assert.equal(other.code, "request_invalid");
  });

  it("refuses what is corrupt or cut, and leaves the live database as it was", async () => {
    await using restore = await startRestore();
    for (const [filename, detail] of [
      [names.corrupt, /is no whole gzip file/],
      [names.cut, /was cut short/],
      ["latest", /was cut short/],
    ] as const) {
      const problem = await problemIn(restore.post({ filename }));

      assert.equal(problem.code, "archive_damaged", filename);
      assert.match(problem.detail, detail);
    }
    assert.deepEqual(await fingerprintOf(server, database), original);
  });

  it("is adopted under its own names, restored by latest, and culled by the same rules", async () => {
    const environment = { PATH: `${server.binDir}:/usr/bin:/bin`, POSTGRESQL_DATABASE: database };
    const rules = { ADOPT_PER_RUN: "20", NUM_BACKUPS: "2", KEEP_DAILY: "0" };
    await using cull = await startFunction(
      "cull",
      cullEnvironment(volume.path, { ...environment, ...rules }),
    );

    const adoption = ((await (await cull.post({})).json()) as { adoption: Answer }).adoption;

    const good = ["alone", "flat", "weekly", "monthly", "daily", "crlf"] as const;
    assert.deepEqual(
      new Set(adoption["adopted"] as string[]),
      new Set(good.map((kind) => names[kind])),
      JSON.stringify(adoption),
    );
    for (const [name, bytes] of Object.entries(await readContent(volume.path)))
      if (!name.endsWith(".json")) assert.equal(bytes, content[name], name);

    await server.query(database, "DELETE FROM hire.equipment");
    await using restore = await startRestore();
    const answer = await restore.post({ filename: "latest" });
    const result = (await answer.json()) as Answer;
    assert.equal(answer.status, 200, JSON.stringify(result));
    assert.equal(result["source"], names.daily);
    assert.deepEqual(await fingerprintOf(server, database), original);

    const kept = (await (await cull.post({})).json()) as { readonly removed: readonly unknown[] };
    assert.deepEqual(kept.removed, []);
    await using culler = await startFunction(
      "cull",
      cullEnvironment(volume.path, { ...environment, ...rules, CULL_LEGACY: "true" }),
    );
    const { removed } = (await (await culler.post({})).json()) as { removed: readonly { name: string }[] };
    assert.deepEqual(
      removed.map(({ name }) => name),
      [names.alone, names.flat, names.monthly, names.weekly],
    );
    const left = Object.keys(await readContent(volume.path)).filter((name) => !name.endsWith(".json"));
    const untouched = ["prefix", "suffix", "corrupt", "cut", "writing", "mongo", "custom"] as const;
    assert.deepEqual(
      left.toSorted(),
      [...untouched, "daily" as const, "crlf" as const].map((kind) => names[kind]).toSorted(),
    );
  });
});

/** One bit in the middle of the compressed data. */
function flipped(bytes: Buffer): Buffer {
  const changed = Buffer.from(bytes);
  const at = Math.floor(bytes.length / 2);
  changed[at] = (changed[at] ?? 0) ^ 4;
  return changed;
}
