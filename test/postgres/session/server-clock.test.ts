import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connect } from "../../../shared/postgres/session/connection.ts";
import { serverNow } from "../../../shared/postgres/session/ask-server.ts";
import { sharedServer } from "../../support/postgres.ts";
import { settingsOf } from "../../support/postgres-adapter.ts";

describe("the server's clock", () => {
  for (const style of ["ISO", "SQL, DMY", "SQL, MDY", "German", "Postgres, DMY"])
    it(`is read alike by a role whose DateStyle is ${style}`, async () => {
      const server = await sharedServer();
      const role = `dated_${process.pid}_${style.replaceAll(/\W+/g, "_")}`.toLowerCase();
      await server.query("postgres", `CREATE ROLE ${role} LOGIN SUPERUSER PASSWORD '${role}'`);
      await server.query("postgres", `ALTER ROLE ${role} SET DateStyle = '${style}'`);
      await server.query("postgres", `ALTER ROLE ${role} SET TimeZone = 'Asia/Tokyo'`);
      await server.query("postgres", `ALTER ROLE ${role} SET extra_float_digits = -15`);
      const settings = { ...settingsOf(server), user: role, password: role };
      const client = await connect(settings, "postgres", AbortSignal.timeout(60_000));
      try {
        const earlier = Date.now();
        const now = (await serverNow(client)).getTime();

        assert.ok(now >= earlier && now <= Date.now(), `${now} is not after ${earlier}`);
      } finally {
        await client.end();
        await server.query("postgres", `DROP ROLE ${role}`);
      }
    });
});
