import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { RestoreResult } from "../../functions/restore/journal/restore-result.ts";
import { kubectlJson } from "./support/kubectl.ts";
import { install, type Installation } from "./support/namespace.ts";

const RESTORE = "dormouse-restore";
/** The example's own, and two more on its server; the two programs are each one database's. */
const DATABASES = ["hets", "reports", "audit"] as const;
const SETTINGS = {
  "dormouse-database-settings": ["POSTGRESQL_DATABASE=", `POSTGRESQL_DATABASES=${DATABASES.join()}`],
  "dormouse-restore-settings": ["APP_WORKLOADS=hets=deployment/server; reports=deployment/frontend"],
};

type Deployment = {
  readonly metadata: { readonly generation: number };
  readonly spec: { readonly replicas: number };
};

describe("one installation for three databases", () => {
  let dormouse: Installation;
  before(async () => {
    dormouse = await install("several", { settings: SETTINGS });
    // By a superuser, and each of them the owner's of the example, whom the roles of docs/roles.md stand for.
    for (const database of DATABASES.slice(1)) await asSuperuser(`CREATE DATABASE ${database} OWNER hets`);
    for (const database of DATABASES)
      await inDatabase(database, `CREATE TABLE item AS SELECT g AS id FROM generate_series(1, 1000) g`);
  });
  after(() => dormouse?.[Symbol.asyncDispose]());

  const psql = (user: string, database: string, statement: string) =>
    dormouse.kubectl(
      "exec postgresql-0 -- sh -c",
      `psql -h /var/run/postgresql -U ${user} ${database} -XAtq -v ON_ERROR_STOP=1 -c "$0"`,
      statement,
    );
  const asSuperuser = (statement: string) => psql("postgres", "postgres", statement);
  const inDatabase = (database: string, statement: string) => psql("hets", database, statement);
  const generationOf = async (name: string) =>
    (await kubectlJson<Deployment>(`-n ${dormouse.namespace} get deployment ${name}`)).metadata.generation;

  it("backs up each by one call", async () => {
    const { status, body } = await dormouse.call("dormouse-backup", { method: "POST", body: {} });

    assert.equal(status, 200, body);
    const { databases } = JSON.parse(body) as {
      readonly databases: readonly { readonly database: string }[];
    };
    assert.deepEqual(
      databases.map(({ database }) => database).toSorted((a, b) => (a < b ? -1 : 1)),
      DATABASES.toSorted((a, b) => (a < b ? -1 : 1)),
    );
  });

  it("restores one, and stops its application alone", async () => {
    await inDatabase("reports", "DROP TABLE item");
    const before = { server: await generationOf("server"), frontend: await generationOf("frontend") };

    const { status, body } = await dormouse.call(RESTORE, {
      method: "POST",
      body: { filename: "latest", database: "reports" },
    });

    assert.equal(status, 200, body);
    const { database, workloads } = JSON.parse(body) as RestoreResult;
    assert.equal(database, "reports");
    assert.deepEqual(
      workloads.map(({ workload, ready }) => [workload, ready]),
      [["deployment/frontend", true]],
    );
    assert.equal(await inDatabase("reports", "SELECT count(*) FROM item"), "1000");
    // Each change of its replicas is a generation more.
    assert.equal(await generationOf("server"), before.server);
    assert.ok((await generationOf("frontend")) > before.frontend);
  });

  it("asks which one is meant", async () => {
    const { status, body } = await dormouse.call(RESTORE, { method: "POST", body: { filename: "latest" } });

    assert.equal(status, 400, body);
    assert.match(body, /audit.+hets.+reports/);
  });
});
