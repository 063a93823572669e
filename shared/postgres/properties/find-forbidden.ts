import type pg from "pg";
import { queryNames } from "../session/ask-server.ts";
import { NOTHING_FORBIDDEN, type Forbidden } from "./forbidden-kinds.ts";
import { MAY_STAND_FOR, mayNotSet } from "./role-rights.ts";
import type { Owned, ScriptMakes } from "../plain-dump/script-makes.ts";

/** Stands for the owner of the database that it is asked in. */
const DATABASE_OWNER = "pg_database_owner";

/** What of an archive the role that asks may not make in a database that `databaseOwner` owns. */
export async function forbiddenBy(
  client: pg.Client,
  makes: ScriptMakes,
  databaseOwner: string | undefined,
): Promise<Forbidden> {
  const { rows } = await client.query<Me>(
    `SELECT rolsuper AS "isSuperuser", rolinherit AS inherits, rolname::text AS name,
       current_setting('server_version_num')::int / 10000 AS version
     FROM pg_roles WHERE rolname = current_user`,
  );
  const [me] = rows;
  if (me === undefined || me.isSuperuser) return NOTHING_FORBIDDEN;
  return {
    ...(await forbiddenOwners(client, makes)),
    kinds: makes.ofSuperuser,
    functionSettings: await forbiddenSettings(client, makes, me),
    doubtful: [
      ...(await doubtfulPlaces(client, makes, { databaseOwner, version: me.version })),
      ...schemaPublic(me, databaseOwner),
      ...makes.doubtful,
    ],
  };
}

type Me = {
  readonly name: string;
  readonly isSuperuser: boolean;
  readonly inherits: boolean;
  /** Of the server. */
  readonly version: number;
};

/** In 15 a role with NOINHERIT has no rights of its own in the schema public of its own database. */
function schemaPublic({ name, inherits, version }: Me, databaseOwner: string | undefined): string[] {
  const isShut = version === 15 && !inherits && databaseOwner === name;
  return isShut ? [`what lies in the schema public (${name} is NOINHERIT)`] : [];
}

async function forbiddenOwners(client: pg.Client, { owned }: ScriptMakes) {
  const roles = await queryNames(
    client,
    `SELECT o.rolname::text AS name FROM pg_roles o
     WHERE o.rolname = ANY ($1) AND o.rolname <> $2 AND NOT ${MAY_STAND_FOR} ORDER BY name`,
    [owned.map(({ owner }) => owner), DATABASE_OWNER],
  );
  const owners = roles.map((name) => {
    const all = owned.filter(({ owner }) => owner === name);
    const count = all.reduce((sum, each) => sum + each.count, 0);
    const more = count - all.slice(0, 3).length;
    const first = all.slice(0, 3).map(({ what }) => what);
    return `${name} (${[...first, ...(more > 0 ? [`${more} more`] : [])].join(", ")})`;
  });
  return { owners, roles };
}

type Database = { readonly databaseOwner: string | undefined; readonly version: number };

/** Grants come back last: until then only the owner of a schema creates in it, and only the owner of the database there. */
async function doubtfulPlaces(
  client: pg.Client,
  { owned, schemas }: ScriptMakes,
  { databaseOwner, version }: Database,
): Promise<string[]> {
  const real = (role: string | undefined) => (role === DATABASE_OWNER ? databaseOwner : role);
  const ofPublic = version < 15 ? undefined : DATABASE_OWNER;
  const placeOwner = ({ schema }: Owned) =>
    schema === null || schema === undefined
      ? databaseOwner
      : real(schemas[schema] ?? (schema === "public" ? ofPublic : undefined));
  const pairs = owned
    .filter(({ schema }) => schema !== undefined)
    .map((each) => ({ owner: real(each.owner), place: placeOwner(each), what: each.what }));
  return queryNames(
    client,
    `SELECT format('%s of %s', pair.what, o.rolname) AS name
     FROM json_to_recordset($1) AS pair (owner text, place text, what text)
       JOIN pg_roles o ON o.rolname = pair.owner JOIN pg_roles p ON p.rolname = pair.place
     WHERE o.rolname <> current_user AND ${MAY_STAND_FOR} AND NOT pg_has_role(o.oid, p.oid, 'USAGE') ORDER BY name`,
    [JSON.stringify(pairs)],
  );
}

async function forbiddenSettings(
  client: pg.Client,
  { functionSettings }: ScriptMakes,
  { version }: Me,
): Promise<string[]> {
  if (functionSettings.length === 0) return [];
  return queryNames(
    client,
    `SELECT format('%s (SET %s)', each.what, each.name) AS name
     FROM json_to_recordset($1) AS each (name text, what text)
       LEFT JOIN pg_settings known ON lower(known.name) = lower(each.name)
     WHERE ${mayNotSet("each.name", "known", version)} ORDER BY name`,
    [JSON.stringify(functionSettings)],
  );
}
