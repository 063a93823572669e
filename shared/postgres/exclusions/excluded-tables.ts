import type pg from "pg";
import { DormouseError, readCode } from "../../errors.ts";
import { givenPath } from "../session/connection.ts";
import { queryNames } from "../session/ask-server.ts";
import { parseTablePattern } from "./table-pattern.ts";

export type ExcludedTable = {
  readonly schema: string;
  readonly name: string;
  /** Of its rows on the server, without indexes. */
  readonly bytes: number;
};

/** What patterns leave out of a dump. */
export type Exclusion = {
  readonly tables: readonly ExcludedTable[];
  /** Patterns by which nothing is left out. */
  readonly unmatched: readonly string[];
};

/** Members of an extension are made by CREATE EXTENSION, which may also fill them. Sequences keep their numbers. */
const MATCHING = `SELECT c.oid, n.nspname AS schema, c.relname AS name, pg_table_size(c.oid) AS bytes
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'r' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
    AND c.relname ~ $1 AND (n.nspname ~ $2 OR $2::text IS NULL AND n.nspname = (
      SELECT s.nspname FROM pg_class o JOIN pg_namespace s ON s.oid = o.relnamespace
      WHERE o.relname = c.relname AND s.nspname = ANY ($4::text[])
      ORDER BY array_position($4::text[], s.nspname::text) LIMIT 1))
    AND ($3::text IS NULL OR current_database() ~ $3)
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
  ORDER BY 2, 3`;

/** Rows whose foreign key is checked when they are restored, and would find nothing. */
const REFERRING = `SELECT format('%I of %s refers to %s', conname, conrelid::regclass, confrelid::regclass) AS name
  FROM pg_constraint JOIN pg_class c ON c.oid = conrelid
  WHERE contype = 'f' AND convalidated AND c.relkind = 'r' AND confrelid = ANY ($1) AND NOT conrelid = ANY ($1) ORDER BY name`;

type Row = { readonly oid: number; readonly schema: string; readonly name: string; readonly bytes: string };

/** The tables that patterns of pg_dump name. Throws `exclusion_invalid` for those without which a dump could not be loaded. */
export async function findExcluded(client: pg.Client, patterns: readonly string[]): Promise<Exclusion> {
  const found = new Map<number, ExcludedTable>();
  const unmatched: string[] = [];
  const path = patterns.length === 0 ? [] : await givenPath(client);
  for (const text of patterns) {
    const rows = await matching(client, text, path);
    for (const { oid, schema, name, bytes } of rows) found.set(oid, { schema, name, bytes: Number(bytes) });
    if (rows.length === 0) unmatched.push(text);
  }
  await refuseReferred(client, [...found.keys()]);
  return { tables: [...found.values()], unmatched };
}

async function matching(client: pg.Client, text: string, path: readonly string[]): Promise<readonly Row[]> {
  const pattern = parseTablePattern(text);
  if (pattern === undefined) throw noPattern(text);
  const { name, schema = null, database = null } = pattern;
  try {
    return (await client.query<Row>(MATCHING, [name, schema, database, path])).rows;
  } catch (error) {
    if (readCode(error) !== INVALID_REGEX) throw error;
    throw noPattern(text, error);
  }
}

const INVALID_REGEX = "2201B";

function noPattern(text: string, cause?: unknown): DormouseError {
  const why = cause instanceof Error ? `: ${cause.message}` : "";
  return new DormouseError("exclusion_invalid", `${JSON.stringify(text)} is no pattern of pg_dump${why}`, {
    hint: 'write it as pg_dump --exclude-table-data takes it, like audit.* or app."Log"',
    cause,
  });
}

async function refuseReferred(client: pg.Client, tables: readonly number[]): Promise<void> {
  const names = await queryNames(client, REFERRING, [tables]);
  if (names.length === 0) return;
  throw new DormouseError(
    "exclusion_invalid",
    `without these rows the backup could not be restored: ${names.slice(0, 5).join("; ")}`,
    {
      hint: "leave out the rows of the tables that refer to them as well, or keep those of the tables that they refer to",
    },
  );
}
