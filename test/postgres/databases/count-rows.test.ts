import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { countRows } from "../../../shared/postgres/databases/count-rows.ts";
import { withSession } from "../../../shared/postgres/session/connection.ts";
import { settingsOf } from "../../support/postgres-adapter.ts";
import { sharedServer, type TestServer } from "../../support/postgres.ts";

const never = new AbortController().signal;
const OWNER = `counts_${randomBytes(4).toString("hex")}`;
const MEMBER = `${OWNER}_member`;
const FORCED = "ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY";

/** As a dump brings them back, its rights last. */
const TABLES: Readonly<Record<string, string>> = {
  "that is as any other": "SELECT 1",
  "of which forced row security shows it nothing": FORCED,
  "from which it has taken all its rights": `REVOKE ALL ON t FROM ${OWNER}`,
  "of which it may read one column": `REVOKE ALL ON t FROM ${OWNER}; GRANT SELECT (id) ON t TO ${OWNER}`,
  "with both": `${FORCED}; REVOKE ALL ON t FROM ${OWNER}`,
  "in a schema that it may not use": `ALTER SCHEMA public OWNER TO ${OWNER}; REVOKE ALL ON SCHEMA public FROM PUBLIC, ${OWNER}`,
};

describe("the count of the rows of a table by its owner, or by a member of it", () => {
  let server: TestServer;
  before(async () => {
    server = await sharedServer();
    const login = "LOGIN PASSWORD 'x'";
    await server.query(
      "postgres",
      `CREATE ROLE ${OWNER} ${login}; CREATE ROLE ${MEMBER} ${login}; GRANT ${OWNER} TO ${MEMBER}`,
    );
  });
  after(() => server.query("postgres", `DROP ROLE ${OWNER}, ${MEMBER}`));

  for (const [what, sql] of Object.entries(TABLES))
    it(`is whole, and changes nothing: ${what}`, async () => {
      const database = await server.createDatabase();
      await server.query(
        database,
        `CREATE TABLE t AS SELECT generate_series(1, 9) AS id; ALTER TABLE t OWNER TO ${OWNER}; ${sql}`,
      );
      const rights = async () =>
        (
          await server.query(
            database,
            "SELECT nspacl, relacl, relforcerowsecurity FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relname = 't'",
          )
        ).rows;
      const before = await rights();

      for (const user of [OWNER, MEMBER]) {
        const settings = settingsOf(server, { user, password: "x" });
        const counted = await countRows(
          (work) => withSession(settings, { database, what }, never, work),
          [{ schema: "public", name: "t" }],
        );

        assert.deepEqual(counted, [{ schema: "public", name: "t", rows: 9, isConfiguration: false }]);
      }
      assert.deepEqual(await rights(), before);
      await server.dropDatabase(database);
    });
});
