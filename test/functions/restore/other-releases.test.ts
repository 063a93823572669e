import assert from "node:assert/strict";
import { cp, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { cull, cullEnvironment } from "../../support/culled.ts";
import { problemIn } from "../../support/faulty.ts";
import { restoreEnvironment, startFunction, type FunctionProcess } from "../../support/function-process.ts";
import { sharedServer, type TestServer } from "../../support/postgres.ts";
import { askPlan } from "../../support/restore-plan.ts";
import { temporaryFolder, type Removed } from "../../support/volume.ts";

/** Written by the servers and tools of these releases, as the pods called them: the same rows each time. */
const DUMPS = fileURLToPath(new URL("../../support/dumps/", import.meta.url));
const MAJORS = [13, 17, 18] as const;
const ROWS = [
  { id: 1, name: "digger\ttab", photo: "00ff" },
  { id: 2, name: "größe", photo: null },
  { id: 3, name: "\\.", photo: "" },
];

describe("files that other releases of PostgreSQL wrote", () => {
  let server: TestServer;
  let volume: Removed;
  let restore: FunctionProcess;
  const name = (major: number) => `2024-03-${major}/hets2024-03-${major}-01-00.bak`;
  const scriptName = (major: number) => `daily/2024-03-${major}/pg-hets_2024-03-${major}_02-00-00.sql.gz`;
  /** The archive has another format since 16, which is that of 17 and 18, too. */
  const canRead = (major: number) => major < 16 || server.major >= 16;

  before(async () => {
    server = await sharedServer();
    volume = await temporaryFolder();
    for (const major of MAJORS)
      for (const [from, to] of [
        [`hets${major}.bak`, name(major)],
        [`hets${major}.sql.gz`, scriptName(major)],
      ] as const) {
        await mkdir(dirname(join(volume.path, to)), { recursive: true });
        await cp(join(DUMPS, from), join(volume.path, to));
      }
    restore = await startFunction("restore", restoreEnvironment(server, "hets", volume.path));
  });
  after(async () => {
    await restore[Symbol.asyncDispose]();
    await volume[Symbol.asyncDispose]();
  });

  async function assertRestored(filename: string): Promise<void> {
    const into = await server.createDatabase();
    await server.dropDatabase(into);
    const answer = await restore.post({ filename, into });
    assert.equal(answer.status, 200, `${filename}: ${await answer.text()}`);
    const sql = "SELECT id, name, encode(photo, 'hex') AS photo FROM equipment ORDER BY id";
    assert.deepEqual((await server.query(into, sql)).rows, ROWS, filename);
    const others = "SELECT convert_from(lo_get(20001), 'UTF8') AS object, nextval('number')::int AS number";
    assert.deepEqual((await server.query(into, others)).rows, [{ object: "large object", number: 8 }]);
    await server.dropDatabase(into);
  }

  for (const major of MAJORS)
    it(`are restored, or it is said why not: PostgreSQL ${major}`, async () => {
      if (canRead(major)) {
        for (const filename of [name(major), scriptName(major)]) await assertRestored(filename);
        return;
      }
      const plan = await askPlan(restore, { filename: name(major) });
      assert.deepEqual(
        plan.blockers.map(({ kind }) => kind),
        ["archive-newer"],
      );
      const archive = await problemIn(restore.post({ filename: name(major), into: "scratch" }));
      assert.equal(archive.code, "restore_blocked");
      assert.match(archive.detail, /older than what wrote the archive/);
      assert.match(archive.hint ?? "", /a server of the release that wrote it/);
      const script = await problemIn(restore.post({ filename: scriptName(major), into: "scratch" }));
      assert.equal(script.code, "restore_failed");
      assert.match(script.hint ?? "", /a newer pg_dump may have written the file/);
    });

  it("are adopted as far as the tools that are there can read them, and are not called damaged", async () => {
    const environment = { PATH: `${server.binDir}:/usr/bin:/bin`, POSTGRESQL_DATABASE: "hets" };
    await using culler = await startFunction("cull", cullEnvironment(volume.path, environment));

    const { adoption } = await cull(culler);

    const unread = MAJORS.filter((major) => !canRead(major)).map(name);
    const all = MAJORS.flatMap((major) => [name(major), scriptName(major)]);
    assert.deepEqual(new Set(adoption?.adopted), new Set(all.filter((each) => !unread.includes(each))));
    assert.deepEqual(adoption?.damaged, []);
    assert.deepEqual(adoption?.failed.map((each) => each.name).toSorted(), unread.toSorted());
  });
});
