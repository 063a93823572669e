import type pg from "pg";
import type { ScriptCollations } from "../plain-dump/script-collations.ts";
import type { DatabaseProperties } from "./database-properties.ts";
import { impossible } from "./given-settings.ts";

/** Locales in which this server cannot make such a database. */
export async function missingLocales(
  client: pg.Client,
  { localeProvider, collate, ctype, locale }: DatabaseProperties,
): Promise<string[]> {
  const missing = await missingOfLibc(client, [collate, ctype]);
  if (localeProvider === "libc" || (await hasProvider(client, localeProvider))) return missing;
  return [...missing, `${locale} of ${localeProvider}`];
}

/** Collations of an archive that this server cannot make, or that it would have to have by itself. */
export async function missingCollations(
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
  const { rows } = await client.query<{ name: string }>(sql, [usedCollations]);
  return [...found, ...rows.map(({ name }) => name)];
}

/** A locale of the operating system is there if any category of it can be set. */
async function missingOfLibc(client: pg.Client, locales: readonly string[]): Promise<string[]> {
  const missing: string[] = [];
  for (const name of new Set(locales))
    if ((await impossible(client, { lc_monetary: name })).length > 0) missing.push(name);
  return missing;
}

/** That a server was built with ICU, its collations tell. */
async function hasProvider(client: pg.Client, provider: string): Promise<boolean> {
  const sql = "SELECT FROM pg_collation WHERE collprovider = $1 LIMIT 1";
  return (await client.query(sql, [provider.slice(0, 1)])).rowCount === 1;
}
