import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import pg from "pg";
import { isolate, limitConnections } from "../../../shared/postgres/session/connection-limit.ts";
import { sharedServer, type TestServer } from "../../support/postgres.ts";

describe("isolating a database", () => {
  const role = `app_${randomBytes(4).toString("hex")}`;
  let server: TestServer;
  let database: string;
  let admin: pg.Client;

  before(async () => {
    server = await sharedServer();
    database = await server.createDatabase();
    await server.query("postgres", `CREATE ROLE ${role} LOGIN PASSWORD '${role}'`);
    admin = await server.connect("postgres");
  });

  after(async () => {
    await admin.end();
    await server.dropDatabase(database);
    await server.query("postgres", `DROP ROLE ${role}`);
  });

  const connect = async () => {
    const { host, port } = server;
    const client = new pg.Client({ host, port, user: role, password: role, database });
    client.on("error", () => undefined);
    await client.connect();
    return client;
  };
  const pidOf = async (client: pg.Client) =>
    (await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid")).rows[0]?.pid;

  it("leaves the session that is spared, and lets no other in", async () => {
    await limitConnections(admin, database, -1);
    const [spared, other] = [await connect(), await connect()];

    await isolate(admin, database, await pidOf(spared));

    await assert.rejects(other.query("SELECT 1"));
    await assert.rejects(connect(), /too many connections/);
    assert.equal((await spared.query("SELECT 1")).rowCount, 1);
    await spared.end();
  });

  it("leaves none and lets none in where none is spared, not even one", async () => {
    await limitConnections(admin, database, -1);
    const session = await connect();

    await isolate(admin, database, undefined);

    await assert.rejects(session.query("SELECT 1"));
    await assert.rejects(connect(), /too many connections/);
  });
});
