import type pg from "pg";
import { readCode } from "../../errors.ts";
import { inTransaction, queryNames } from "../session/ask-server.ts";
import { identifier, literal } from "../sql-text.ts";
import type { PlannedRole } from "./planned-roles.ts";
import { roleSettingsSql } from "./role-sql.ts";
import type { ServerRole } from "./server-role.ts";

/** What the server says of a role that a restore has made and may have to take back: records can be forged, and names taken. */
function markOf(run: string): string {
  return `dormouse: made by ${run}`;
}

/**
 * Makes those of them that are not there, in one transaction, and lets this role stand for them as it must to load what is
 * theirs. A role that is there is left as it is.
 */
export async function makeRoles(
  client: pg.Client,
  roles: readonly PlannedRole[],
  run: string,
): Promise<string[]> {
  const made: string[] = [];
  await inTransaction(client, async () => {
    const standsForAll = await isSuperuser(client);
    for (const { name, sql } of roles) {
      if (await isThere(client, name)) continue;
      for (const statement of sql) await client.query(statement);
      await comment(client, name, literal(markOf(run)));
      if (!standsForAll)
        await client.query(`GRANT ${identifier(name)} TO CURRENT_USER${await fully(client)}`);
      made.push(name);
    }
  });
  return made;
}

/**
 * Gives the roles that the run has made those of their settings that the server must keep in the encoding of the database that
 * this session is in; not what the plan has told to be withheld.
 */
export async function giveRoleSettings(
  client: pg.Client,
  noted: readonly ServerRole[],
  run: string,
): Promise<void> {
  const made = new Set(await madeBy(client, run));
  for (const statement of noted.filter(({ name }) => made.has(name)).flatMap(roleSettingsSql))
    await client.query(statement).catch((error: unknown) => {
      if (!WITHHELD.has(String((error as { code?: unknown }).code))) throw error;
    });
}

/** No right, no such setting, no such value. */
const WITHHELD: ReadonlySet<string> = new Set(["42501", "42704", "22023"]);

type DroppedRoles = {
  readonly dropped: readonly string[];
  readonly stayed: readonly { readonly name: string; readonly why: string }[];
};

/** Those that the run has made, each unless something else came to depend on it. */
export async function dropMadeRoles(client: pg.Client, run: string): Promise<DroppedRoles> {
  const dropped: string[] = [];
  const stayed: { name: string; why: string }[] = [];
  for (const name of await madeBy(client, run)) {
    try {
      await client.query(`DROP ROLE ${identifier(name)}`);
      dropped.push(name);
    } catch (error) {
      if (readCode(error) !== DEPENDENT_OBJECTS) throw error;
      stayed.push({ name, why: [error, (error as { detail?: string }).detail ?? ""].join(": ") });
    }
  }
  return { dropped, stayed };
}

const DEPENDENT_OBJECTS = "2BP01";

/** They are roles like all others from now on. */
export async function keepMadeRoles(client: pg.Client, run: string): Promise<void> {
  for (const name of await madeBy(client, run)) await comment(client, name, "NULL");
}

async function madeBy(client: pg.Client, run: string): Promise<string[]> {
  const sql =
    "SELECT rolname::text AS name FROM pg_roles WHERE shobj_description(oid, 'pg_authid') = $1 ORDER BY rolname";
  return queryNames(client, sql, [markOf(run)]);
}

async function comment(client: pg.Client, role: string, text: string): Promise<void> {
  await client.query(`COMMENT ON ROLE ${identifier(role)} IS ${text}`);
}

async function isThere(client: pg.Client, name: string): Promise<boolean> {
  return (await client.query("SELECT FROM pg_roles WHERE rolname = $1", [name])).rowCount === 1;
}

async function isSuperuser(client: pg.Client): Promise<boolean> {
  const sql = "SELECT FROM pg_roles WHERE rolname = current_user AND rolsuper";
  return (await client.query(sql)).rowCount === 1;
}

/** From 16 on who makes a role may grant it, but neither has its rights nor can become it. */
async function fully(client: pg.Client): Promise<string> {
  const sql = "SELECT WHERE current_setting('server_version_num')::int >= 160000";
  return (await client.query(sql)).rowCount === 1 ? " WITH INHERIT TRUE, SET TRUE" : "";
}
