import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { chooseJobs, readLoadRoom } from "../../../shared/postgres/load/load-jobs.ts";
import { sharedServer, startPostgres } from "../../support/postgres.ts";

const room = { maintenanceWorkers: 4, freeConnections: 90 };
const large = { tables: 50, plainBytes: 10_000_000_000, offsets: true };

describe("the connections of a load", () => {
  const cases = [
    ["what the server gives one command", undefined, room, large, 4, /max_parallel_maintenance_workers is 4/],
    ["an unknown size", undefined, room, {}, 4, /max_parallel/],
    ["a server without such workers", undefined, { ...room, maintenanceWorkers: 0 }, large, 1, /is 0/],
    ["a server that is nearly full", undefined, { ...room, freeConnections: 5 }, large, 2, /5 connections/],
    ["a server that is full", undefined, { ...room, freeConnections: 0 }, large, 1, /0 connections/],
    ["one table", undefined, room, { ...large, tables: 1 }, 1, /tables: 1/],
    ["no table", undefined, room, { ...large, tables: 0 }, 1, /tables: 0/],
    ["few rows", undefined, room, { ...large, plainBytes: 60_000_000 }, 2, /60000000 bytes/],
    ["the operator's number", 8, room, { ...large, tables: 1 }, 8, /RESTORE_JOBS/],
    ["an archive from a pipe", undefined, room, { ...large, offsets: false }, 1, /no offsets/],
    ["that, whatever the operator says", 8, room, { ...large, offsets: false }, 1, /no offsets/],
  ] as const;
  for (const [what, asked, given, size, jobs, why] of cases)
    it(`are ${jobs} for ${what}`, () => {
      const chosen = chooseJobs(asked, given, size);
      assert.equal(chosen.jobs, jobs);
      assert.match(chosen.why, why);
    });

  it("are bounded by what the server says of itself and of the role", async () => {
    const server = await sharedServer();
    const role = `limited_${process.pid}`;
    await server.query("postgres", `CREATE ROLE ${role} LOGIN CONNECTION LIMIT 7`);
    const client = await server.connect("postgres");
    try {
      const own = await readLoadRoom(client);
      await client.query(`SET max_parallel_maintenance_workers = 5; SET SESSION AUTHORIZATION ${role}`);
      const limited = await readLoadRoom(client);

      assert.equal(own.maintenanceWorkers, 2);
      assert.ok(own.freeConnections > 7, `${own.freeConnections}`);
      assert.equal(limited.maintenanceWorkers, 5);
      assert.ok(limited.freeConnections <= 7, `${limited.freeConnections}`);
    } finally {
      await client.end();
      await server.query("postgres", `DROP ROLE ${role}`);
    }
  });

  it("leave alone what the server reserves", async (test) => {
    const { major } = await sharedServer();
    if (major < 16) return test.skip("a server reserves connections for roles from 16 on");
    await using server = await startPostgres({
      max_connections: "20",
      superuser_reserved_connections: "3",
      reserved_connections: "12",
    });
    const client = await server.connect("postgres");
    const { freeConnections } = await readLoadRoom(client);
    await client.end();

    assert.ok(freeConnections > 0 && freeConnections < 5, `${freeConnections}`);
  });
});
