import pg from "pg";
import { readMark, withMark, type DatabaseMark } from "./mark-text.ts";

/** A database that is there. */
export type MarkedDatabase = DatabaseMark & { readonly comment: string | null; readonly isOpen: boolean };

type Row = { readonly name: string; readonly comment: string | null; readonly open: boolean };

const LOOK = `SELECT datname::text AS name, shobj_description(oid, 'pg_database') AS comment, datallowconn AS open
  FROM pg_database`;

/** What the server says of each of these databases that is there, or of every one. */
export async function lookAtMarks(
  client: pg.Client,
  databases?: readonly string[],
): Promise<ReadonlyMap<string, MarkedDatabase>> {
  const { rows } = await client.query<Row>(`${LOOK} WHERE $1::text[] IS NULL OR datname = ANY ($1)`, [
    databases,
  ]);
  return new Map(rows.map((row) => [row.name, marked(row)]));
}

/** Every database whose name is like that of a run's, of any maker. */
export async function lookAtNamed(
  client: pg.Client,
  pattern: string,
): Promise<readonly (MarkedDatabase & { readonly name: string })[]> {
  const { rows } = await client.query<Row>(`${LOOK} WHERE datname ~ $1 ORDER BY datname`, [pattern]);
  return rows.map((row) => ({ name: row.name, ...marked(row) }));
}

function marked({ comment, open }: Row): MarkedDatabase {
  return { ...readMark(comment), comment, isOpen: open };
}

/** Puts a mark behind the owner's comment, which stays; an empty mark takes it away. */
export async function setMark(
  client: pg.Client,
  database: string,
  comment: string | null,
  mark: DatabaseMark,
): Promise<void> {
  const text = withMark(comment, mark);
  const literal = text === null ? "NULL" : pg.escapeLiteral(text);
  await client.query(`COMMENT ON DATABASE ${pg.escapeIdentifier(database)} IS ${literal}`);
}

/** Changes the mark of one database, if that is there, from what it is. */
export async function changeMark(
  client: pg.Client,
  database: string,
  change: (mark: DatabaseMark) => DatabaseMark,
): Promise<void> {
  const found = (await lookAtMarks(client, [database])).get(database);
  if (found !== undefined) await setMark(client, database, found.comment, change(found));
}
