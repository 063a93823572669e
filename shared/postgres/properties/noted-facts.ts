import type { TargetRequest } from "./target-facts.ts";
import type pg from "pg";
import { listRoles, type DatabaseProperties } from "./database-properties.ts";
import type { ArchiveNeeds } from "../plain-dump/script-needs.ts";
import { readProperties } from "./read-properties.ts";
import { MAY_STAND_FOR } from "./role-rights.ts";
import { queryNames } from "../session/ask-server.ts";
import { impossible, uncarried } from "./given-settings.ts";
import { partSettings, settingText } from "./refused-settings.ts";
import type { ScriptCollations } from "../plain-dump/script-collations.ts";
import { MAKES_NOTHING } from "../plain-dump/script-makes.ts";

/** What the server says of the properties, settings and collations that a backup notes. */
export async function notedFacts(
  client: pg.Client,
  { database, noted, makes = MAKES_NOTHING }: TargetRequest,
) {
  const live = await readProperties(client, database);
  const made = live === undefined ? noted?.properties : undefined;
  return {
    live,
    ...(await settingFacts(client, database, noted, live ?? made)),
    otherVersions: await otherVersions(client, noted),
    missingLocales: made === undefined ? [] : await missingLocales(client, made),
    missingCollations: await missingCollations(client, makes),
    forbiddenOwner: await forbiddenOwner(client, live ?? made),
    collationVersion: noted?.properties && (await collationVersion(client, noted.properties)),
  };
}

async function settingFacts(
  client: pg.Client,
  database: string,
  noted: TargetRequest["noted"],
  like: DatabaseProperties | undefined,
) {
  return {
    impossibleSettings: await impossible(client, noted?.settings ?? {}),
    uncarriedSettings: await uncarried(client, database, noted),
    refusedSettings: (await partSettings(client, like?.settings ?? [])).refused.map(settingText),
  };
}

/** A dump names no version. plpgsql is there in each new database. */
async function otherVersions(client: pg.Client, noted: TargetRequest["noted"]): Promise<string[]> {
  return queryNames(
    client,
    `SELECT format('%s %s instead of %s', here.name, here.default_version, noted.version) AS name
     FROM json_to_recordset($1) AS noted (name text, version text)
       JOIN pg_available_extensions here ON here.name = noted.name
     WHERE here.default_version <> noted.version AND noted.name <> 'plpgsql' ORDER BY name`,
    [JSON.stringify(noted?.content?.extensions ?? [])],
  );
}

/** What a database that is gone needs to be made again, besides what its content needs. */
export function needsOfMade(
  needs: ArchiveNeeds,
  live: DatabaseProperties | undefined,
  { noted }: TargetRequest,
): ArchiveNeeds {
  const made = live === undefined ? noted?.properties : undefined;
  if (made === undefined) return needs;
  return {
    ...needs,
    roles: [...new Set([...needs.roles, ...listRoles(made)])],
    tablespaces: [...new Set([...needs.tablespaces, made.tablespace])],
  };
}

/** Locales in which this server cannot make such a database. */
async function missingLocales(
  client: pg.Client,
  { localeProvider, collate, ctype, locale }: DatabaseProperties,
): Promise<string[]> {
  const missing = await missingOfLibc(client, [collate, ctype]);
  if (localeProvider === "libc" || (await hasProvider(client, localeProvider))) return missing;
  return [...missing, `${locale} of ${localeProvider}`];
}

/** Collations of an archive that this server cannot make, or that it would have to have by itself. */
async function missingCollations(
  client: pg.Client,
  { madeCollations, usedCollations }: ScriptCollations,
): Promise<string[]> {
  const found: string[] = [];
  for (const { what, provider, locales } of madeCollations)
    if (provider === "libc") {
      const missing = await missingOfLibc(client, locales);
      if (missing.length > 0) found.push(`${what} (${missing.join(", ")})`);
    } else if (!(await hasProvider(client, provider))) found.push(`${what} (${provider})`);
  const sql = `SELECT format('COLLATION pg_catalog.%I', name) AS name FROM unnest($1::text[]) name
    WHERE name NOT IN (SELECT collname FROM pg_collation WHERE collnamespace = 'pg_catalog'::regnamespace) ORDER BY name`;
  return [...found, ...(await queryNames(client, sql, [usedCollations]))];
}

/** A locale of the operating system is there if any category of it can be set. */
async function missingOfLibc(client: pg.Client, locales: readonly string[]): Promise<string[]> {
  const missing: string[] = [];
  for (const name of new Set(locales))
    if ((await impossible(client, { lc_monetary: name })).length > 0) missing.push(name);
  return missing;
}

/** Whether a server was built with ICU, its collations show. */
async function hasProvider(client: pg.Client, provider: string): Promise<boolean> {
  const sql = "SELECT FROM pg_collation WHERE collprovider = $1 LIMIT 1";
  return (await client.query(sql, [provider.slice(0, 1)])).rowCount === 1;
}

/** The maker of a database for another role must be able to become that role, and acts for it from then on. */
async function forbiddenOwner(client: pg.Client, like: DatabaseProperties | undefined): Promise<string[]> {
  return queryNames(
    client,
    `SELECT o.rolname::text AS name FROM pg_roles o, pg_roles r WHERE o.rolname = $1 AND r.rolname = current_user
       AND NOT r.rolsuper AND NOT ${MAY_STAND_FOR}`,
    [like?.owner],
  );
}

/** By which this server sorts now in such a locale, where it has a database of it and the collation has versions. */
async function collationVersion(
  client: pg.Client,
  { localeProvider, collate, locale, collationVersion: noted }: DatabaseProperties,
): Promise<string | undefined> {
  if (noted === undefined || !(await tellsVersions(client))) return undefined;
  const { rows } = await client.query<{ version: string | null }>(
    `SELECT pg_database_collation_actual_version(d.oid) AS version FROM pg_database d, to_jsonb(d) AS row
     WHERE coalesce(row ->> 'datlocprovider', 'c') = $1 AND d.datcollate = $2
       AND coalesce(row ->> 'datlocale', row ->> 'daticulocale', '') = $3 LIMIT 1`,
    [localeProvider.slice(0, 1), collate, locale ?? ""],
  );
  return rows[0]?.version ?? undefined;
}

/** From 15 on. */
async function tellsVersions(client: pg.Client): Promise<boolean> {
  const sql = "SELECT FROM pg_proc WHERE proname = 'pg_database_collation_actual_version'";
  return (await client.query(sql)).rowCount === 1;
}
