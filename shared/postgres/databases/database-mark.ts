import type pg from "pg";
import { identifier, literal } from "../sql-text.ts";

/** A database that is there. */
export type MarkedDatabase = DatabaseMark & { readonly comment: string | null; readonly isOpen: boolean };

type Row = { readonly name: string; readonly comment: string | null; readonly open: boolean };

const DATABASES = `SELECT datname::text AS name, shobj_description(oid, 'pg_database') AS comment, datallowconn AS open
  FROM pg_database`;

/** What the server says of each of these databases that is there, or of every one. */
export async function readMarks(
  client: pg.Client,
  databases?: readonly string[],
): Promise<ReadonlyMap<string, MarkedDatabase>> {
  const { rows } = await client.query<Row>(`${DATABASES} WHERE $1::text[] IS NULL OR datname = ANY ($1)`, [
    databases,
  ]);
  return new Map(rows.map((row) => [row.name, marked(row)]));
}

/** Every database whose name is like that of a run's, of any maker. */
export async function readNamed(
  client: pg.Client,
  pattern: string,
): Promise<readonly (MarkedDatabase & { readonly name: string })[]> {
  const { rows } = await client.query<Row>(`${DATABASES} WHERE datname ~ $1 ORDER BY datname`, [pattern]);
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
  if (comment?.includes("\ufffd") === true) return setMarkBehindBytes(client, database, comment, mark);
  const text = withMark(comment, mark);
  const whole = text === null ? "NULL" : literal(text);
  await client.query(`COMMENT ON DATABASE ${identifier(database)} IS ${whole}`);
}

/** What was written in another encoding stays on the server, where nothing looks at its bytes. */
async function setMarkBehindBytes(
  client: pg.Client,
  database: string,
  comment: string,
  mark: DatabaseMark,
): Promise<void> {
  const before = MARK.exec(comment)?.[0] ?? "";
  const own = `pg_catalog.replace(pg_catalog.shobj_description(oid, 'pg_database'), ${literal(before)}, '')`;
  const statement = `pg_catalog.format('COMMENT ON DATABASE %I IS ', datname)
    || pg_catalog.quote_literal(${own} || ${literal(markText(mark))})`;
  const found = `FROM pg_catalog.pg_database WHERE datname = ${literal(database)}`;
  await client.query(`DO ${literal(`BEGIN EXECUTE (SELECT ${statement} ${found}); END`)}`);
}

/** Changes the mark of one database, if that is there, from what it is. */
export async function changeMark(
  client: pg.Client,
  database: string,
  change: (mark: DatabaseMark) => DatabaseMark,
): Promise<void> {
  const found = (await readMarks(client, [database])).get(database);
  if (found !== undefined) await setMark(client, database, found.comment, change(found));
}

/**
 * What the server itself says of a database that a restore made, fills or keeps. Records lie on a volume, to which
 * others may write; the server alone decides what is dropped, and whether a restore is still under way.
 */
export type DatabaseMark = {
  /** The restore that works on it: what it was begun for is neither finished nor taken back. */
  readonly underWay?: string | undefined;
  /** The restore that took it out of use, and until when it stays, by the server's clock. */
  readonly kept?: { readonly by: string; readonly until: Date } | undefined;
};

const RUN = "(restore-[0-9a-f]{24})";
/** The last line of a database's comment: all that its owner may write, and every release carries through a rename. */
const MARK = new RegExp(
  `(?:^|\\n)dormouse:(?: under way ${RUN})?(?: kept by ${RUN} until (\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z))?$`,
);

function readMark(comment: string | null): DatabaseMark {
  const [, underWay, by, until] = MARK.exec(comment ?? "") ?? [];
  return {
    underWay,
    kept: by === undefined || until === undefined ? undefined : { by, until: new Date(until) },
  };
}

/** The comment that the database has of its owner; `null` when it has none. */
export function withoutMark(comment: string | null): string | null {
  const text = comment?.replace(MARK, "") ?? "";
  return text === "" ? null : text;
}

/** The owner's comment, with this mark instead of the one that it had. */
function withMark(comment: string | null, mark: DatabaseMark): string | null {
  const own = withoutMark(comment);
  const text = markText(mark);
  return own === null ? text.slice(1) || null : own + text;
}

/** As it stands behind a comment: a line of its own, or nothing. */
function markText({ underWay, kept }: DatabaseMark): string {
  if (underWay === undefined && kept === undefined) return "";
  const parts = [
    ...(underWay === undefined ? [] : [` under way ${underWay}`]),
    ...(kept === undefined ? [] : [` kept by ${kept.by} until ${kept.until.toISOString()}`]),
  ];
  return `\ndormouse:${parts.join("")}`;
}
