import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { execa } from "execa";
import { findBlockers } from "../../functions/restore/plan/blockers.ts";
import { archiveIn } from "../../shared/catalog/archives/archive-files.ts";
import type { LoadChoice } from "../../shared/postgres/load/load-choice.ts";
import { openLibpq } from "../../shared/postgres/session/libpq.ts";
import { restoreServer } from "../../shared/postgres/databases/restore-server.ts";
import { sharedServer, type TestServer } from "./postgres.ts";
import { settingsOf } from "./postgres-adapter.ts";
import { temporaryFolder, type Removed } from "./volume.ts";

const never = new AbortController().signal;
export const ROLE = `owner_${randomBytes(4).toString("hex")}`;
export const OTHER = `${ROLE}_other`;
export const MEMBER = `${ROLE}_member`;

/** Made by a superuser, restored by the role that owns the database and may create others. */
type Kind = {
  readonly what: string;
  readonly sql: string;
  /** The first major that knows it. */
  readonly since?: number;
  readonly choice?: LoadChoice;
  /** The server passes it over with a warning: it is told, although nothing fails. */
  readonly isPassedOver?: true;
};

/** Of each kind: what the plan says of it beforehand, against what becomes of a load. */
export function describeForbidden(of: string, kinds: readonly Kind[]): void {
  describe(`what a role may not make is in the plan, by name: ${of}`, () => {
    let server: TestServer;
    let folder: Removed & { readonly path: string };
    before(async () => {
      server = await sharedServer();
      folder = await temporaryFolder();
      await server.query(
        "postgres",
        `CREATE ROLE ${ROLE} LOGIN PASSWORD '${ROLE}' CREATEDB; CREATE ROLE ${OTHER}; CREATE ROLE ${MEMBER}; GRANT ${MEMBER} TO ${ROLE}`,
      );
    });
    after(async () => {
      await server.query("postgres", `DROP ROLE ${ROLE}, ${OTHER}, ${MEMBER}`);
      await folder[Symbol.asyncDispose]();
    });

    for (const [index, { what, sql, since = 0, choice = {}, isPassedOver = false }] of kinds.entries())
      it(`of ${what}`, async (test) => {
        if (server.major < since) return test.skip(`there is none before ${since}`);
        const database = await server.createDatabase();
        const loaded = `${database}_loaded`;
        try {
          await server.query("postgres", `ALTER DATABASE "${database}" OWNER TO ${ROLE}`);
          await server.query(database, sql.replaceAll(":db", `"${database}"`));
          const path = join(folder.path, `${index}`);
          const { host, port, user, password, binDir } = server;
          const to = ["-h", host, "-p", `${port}`, "-U", user, "-d", database, "-f", path];
          await execa(`${binDir}/pg_dump`, ["-Fc", ...to], { env: { PGPASSWORD: password } });
          const settings = settingsOf({ ...server, user: ROLE, password: ROLE });
          await using libpq = await openLibpq(settings);
          const limits = { deadlineMs: 600_000, stallMs: 600_000, jobs: 1, secrets: [] };
          const restore = restoreServer(settings, libpq, limits, { binDir, searchPath: "" });
          const tools = await restore.tools(server.major);

          const handle = await open(path);
          await using file = archiveIn(handle, () => handle.close());
          const demands = await tools.contents(() => file.bytes(), choice, never);
          const { needs, makes } = demands;
          const facts = await restore.inspect({ database, target: database, needs, makes }, never);
          const blockers = findBlockers("swap", { facts, backup: undefined, demands, choice });
          await server.query("postgres", `CREATE DATABASE "${loaded}" OWNER ${ROLE} TEMPLATE template0`);
          const request = {
            database: loaded,
            file,
            format: "custom",
            settings: {},
            jobs: 2,
            choice,
          } as const;
          const failed = await tools.load(request, never).then(
            () => undefined,
            (error: unknown) => String(error),
          );

          const said = JSON.stringify([blockers, facts.forbidden.doubtful]);
          assert.ok(blockers.length === 0 || failed !== undefined, `blocked for nothing: ${said}`);
          const isTold = blockers.length > 0 || facts.forbidden.doubtful.length > 0;
          assert.ok(isTold || (failed === undefined && !isPassedOver), `not reported: ${failed}`);
          for (const { names } of blockers) assert.notDeepEqual(names, []);
        } finally {
          await server.query("postgres", `ALTER ROLE ${ROLE} INHERIT`);
          await server.dropDatabase(loaded);
          await server.dropDatabase(database);
        }
      });
  });
}
