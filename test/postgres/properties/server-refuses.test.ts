import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { findBlockers } from "../../../functions/restore/plan/blockers.ts";
import type { Strategy } from "../../../functions/restore/plan/strategy.ts";
import { NO_NEEDS } from "../../../shared/postgres/plain-dump/script-needs.ts";
import { restoreServer } from "../../../shared/postgres/databases/restore-server.ts";
import { openLibpq } from "../../../shared/postgres/session/libpq.ts";
import { installation } from "../../support/installation.ts";
import { startPostgres, type OwnServer } from "../../support/postgres.ts";
import { settingsOf } from "../../support/postgres-adapter.ts";

const never = new AbortController().signal;

describe("a server on which a restore would fail or wait, whatever the backup", () => {
  let server: OwnServer;
  let lines: string;
  before(async () => {
    server = await startPostgres();
    await server.query("postgres", "CREATE ROLE app LOGIN CREATEDB PASSWORD 'app'");
    await server.query("postgres", "CREATE DATABASE hets OWNER app");
    lines = await readFile(await hbaFile(), "utf8");
  });
  after(() => server[Symbol.asyncDispose]());

  async function hbaFile(): Promise<string> {
    const { rows } = await server.query("postgres", "SHOW hba_file");
    return (await installation()).root + (rows as [{ hba_file: string }])[0].hba_file;
  }

  /** The role is let into these databases; all others into all. */
  async function letInto(databases: string): Promise<void> {
    const ofApp = ["127.0.0.1/32", "::1/128"].flatMap((address) => [
      `host ${databases} app ${address} scram-sha-256`,
      `host all app ${address} reject`,
    ]);
    await writeFile(await hbaFile(), `${ofApp.join("\n")}\n${lines}`);
    await server.query("postgres", "SELECT pg_reload_conf()");
  }

  async function blockers(strategy: Strategy, target = "hets"): Promise<string[]> {
    const settings = settingsOf(server, { user: "app", password: "app" });
    await using libpq = await openLibpq(settings);
    const limits = { deadlineMs: 600_000, stallMs: 600_000, jobs: 1, secrets: [] };
    const restore = restoreServer(settings, libpq, limits, { binDir: server.binDir, searchPath: "" });
    const facts = await restore.inspect({ database: "hets", target, needs: NO_NEEDS }, never);
    // Before 15 the schema public is in the way in place as well.
    return findBlockers(strategy, { facts, backup: undefined })
      .filter(({ kind }) => ["connection-refused", "commits-waiting"].includes(kind))
      .map(({ kind, detail, remedy }) => `${kind}: ${detail}; ${remedy}`);
  }

  for (const [databases, isLetIn] of [
    ["all", true],
    ["hets,postgres", false],
    ["hets,postgres,template1", false],
  ] as const)
    it(`is reported where pg_hba.conf lets the role into ${databases}`, async () => {
      await letInto(databases);

      const found = await blockers("swap");

      if (isLetIn) return assert.deepEqual(found, []);
      assert.match(found.join(), /^connection-refused: .*pg_hba.conf.*hets__restore_0/);
      assert.match(found.join(), /use the strategy in-place$/);
      assert.deepEqual(await blockers("in-place"), []);
      assert.match((await blockers("beside", "other")).join(), /pg_hba.conf.*"other"/);
    });

  it("is reported where each commit would wait for a standby that is not there", async () => {
    await letInto("all");
    assert.deepEqual(await blockers("in-place"), []);
    await server.query("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'away'");
    await server.query("postgres", "SELECT pg_reload_conf()");

    const found = await blockers("in-place");
    await server.query("postgres", "ALTER SYSTEM RESET synchronous_standby_names");
    await server.query("postgres", "SELECT pg_reload_conf()");

    assert.match(
      found.join(),
      /^commits-waiting: .*; start the standby that synchronous_standby_names names/,
    );
  });
});
