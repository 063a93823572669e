import type { Writable } from "node:stream";
import { ROWS_DIFFER, WRITTEN_MEANWHILE } from "./compare-rows.ts";
import type { TableRows } from "../plain-dump/plain-dump.ts";
import type { LoadRequest } from "./load-choice.ts";
import { DormouseError } from "../../errors.ts";
import { chosen, entryLists, usingList, type UsedList } from "../archive-list.ts";
import { INHERITED, type RunningTool } from "../process/child-process.ts";
import { feed } from "../process/pipes.ts";
import { startLoad, type Loader } from "../load-tool.ts";
import { withoutStatistics } from "../pg-restore.ts";
import { PSQL } from "../psql.ts";
import { WIPE } from "./wipe.ts";
import { literal, nameLiteral } from "../sql-text.ts";

export type ReplaceRequest = Omit<LoadRequest, "jobs"> & {
  /** What the transaction must hold before it commits. */
  readonly tables: readonly TableRows[];
};

export type ReplacingSession = {
  readonly pid: number;
  /** The id of its transaction. */
  readonly transaction: string;
};

/** The last statement of the script, which is kept back until pg_restore has ended well. */
const KEPT_BACK_BYTES = 4096;
/**
 * What is reported as replaced stays so after any crash. Names are those of the server, as pg_restore has it: what is
 * wiped must not be decided by what lies in it.
 */
const IN_PLACE = {
  lock_timeout: "60s",
  synchronous_commit: "on",
  maintenance_work_mem: "256MB",
  search_path: "",
};

/**
 * One transaction of one session: wipe, then what pg_restore prints. Its COMMIT is the last thing that psql is given,
 * after pg_restore has ended with 0; a session that ends before leaves the database as it was.
 */
export async function replaceContent(
  loader: Loader,
  request: ReplaceRequest,
  alone: (session: ReplacingSession) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { database } = request;
  const { libpq } = loader;
  const ended = new AbortController();
  const both = AbortSignal.any([signal, ended.signal]);
  await using lists = await entryLists(loader, request, both);
  const psql = startLoad(
    loader,
    "psql",
    {
      database,
      settings: { ...request.settings, ...IN_PLACE },
      arguments: [...PSQL, "--tuples-only", "--no-align", `--dbname=${libpq.conninfo(database)}`],
    },
    both,
  );
  try {
    await converse(
      psql,
      () => startScript(loader, request, lists.inOrder, both),
      alone,
      writeCheck(request.tables),
    );
  } catch (error) {
    ended.abort(error);
    throw error;
  }
}

function startScript(
  loader: Loader,
  { database, file, settings, choice }: ReplaceRequest,
  list: UsedList,
  signal: AbortSignal,
): RunningTool {
  const script = startLoad(
    loader,
    "pg_restore",
    {
      database,
      settings,
      arguments: [
        "--single-transaction",
        "--exit-on-error",
        "--no-subscriptions",
        "--enable-row-security",
        ...withoutStatistics(loader),
        ...chosen(choice),
        ...usingList(list),
        "--file=-",
        INHERITED,
      ],
      inherits: file.fd,
    },
    signal,
  );
  script.stdin.end();
  return script;
}

async function converse(
  psql: RunningTool,
  startsScript: () => RunningTool,
  alone: (session: ReplacingSession) => Promise<void>,
  check: string,
): Promise<void> {
  const answers = psql.output[Symbol.asyncIterator]();
  await feed(psql.stdin, "BEGIN;\nSELECT pg_backend_pid(), txid_current();\n");
  const first = await answers.next();
  const [pid, transaction] = Buffer.from(first.value ?? [])
    .toString("utf8")
    .trim()
    .split("|");
  if (pid === undefined || transaction === undefined)
    throw new DormouseError("restore_failed", "psql did not print its session");
  await alone({ pid: Number(pid), transaction });
  const end = drain(answers);
  // The first to fail has the cause: psql at an error of the server, pg_restore at one of the archive.
  end.catch(() => undefined);
  await feed(psql.stdin, WIPE);
  // Not before it is read: what a child prints unread may be gone when it ends.
  const last = await feedAllButTheEnd(startsScript().output, psql.stdin, end);
  await feed(psql.stdin, beforeCommit(last, check));
  psql.stdin.end();
  await end;
}

/**
 * The rows of each table, looked at in the transaction itself: what differs never becomes visible. Tables of extensions
 * hold what CREATE EXTENSION put there besides what was dumped; rows of a partitioned table lie in those of its
 * partitions that the dump does not name. Row security that is forced hides rows from an owner: it is lifted for the count.
 */
function writeCheck(tables: readonly TableRows[]): string {
  const names = tables.map(({ schema, name }) => nameLiteral(schema, name));
  const body = `DECLARE wanted regclass[] := ARRAY[${names.join(", ")}]::text[]::regclass[];
    item record; relation record; found bigint; part bigint; forced boolean;
  BEGIN
    FOR item IN SELECT name, sum(rows) AS rows, EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass
        AND deptype = 'e' AND objid = name) AS is_configuration
      FROM unnest(wanted, ARRAY[${tables.map(({ rows }) => rows).join(", ")}]::bigint[]) AS x(name, rows) GROUP BY name LOOP
      found := 0;
      FOR relation IN SELECT c.oid FROM pg_class c
        WHERE c.relkind <> 'p' AND (c.oid = item.name OR (
          c.relkind = 'r' AND c.oid IN (SELECT relid FROM pg_partition_tree(item.name))
          AND c.oid <> ALL (wanted))) LOOP
        forced := row_security_active(relation.oid);
        IF forced THEN EXECUTE format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', relation.oid::regclass); END IF;
        EXECUTE format('SELECT count(*) FROM ONLY %s', relation.oid::regclass) INTO part;
        IF forced THEN EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', relation.oid::regclass); END IF;
        found := found + part;
      END LOOP;
      IF found < item.rows OR (found > item.rows AND NOT item.is_configuration) THEN
        RAISE EXCEPTION '${ROWS_DIFFER}: % has % rows instead of %', item.name, found, item.rows::text
          || CASE WHEN found > item.rows THEN format('${WRITTEN_MEANWHILE}', found - item.rows) ELSE '' END;
      END IF;
    END LOOP;
  END`;
  // A dump of a database in another encoding has switched to that. What SQL_ASCII holds may be no text, also in a message.
  return `SELECT set_config('client_encoding', CASE getdatabaseencoding() WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END, false);
DO ${literal(body)};\n`;
}

function beforeCommit(end: Buffer, check: string): Buffer {
  const at = end.lastIndexOf("\nCOMMIT;\n");
  if (at === -1) throw new DormouseError("restore_failed", "pg_restore printed no end of its transaction");
  return Buffer.concat([end.subarray(0, at + 1), Buffer.from(check), end.subarray(at + 1)]);
}

/** Leaves the last bytes to the caller, which it returns once the source has ended without an error. */
async function feedAllButTheEnd(
  source: AsyncIterable<Uint8Array>,
  sink: Writable,
  end: Promise<void>,
): Promise<Buffer> {
  let kept = Buffer.alloc(0);
  for await (const chunk of source) {
    const all = Buffer.concat([kept, chunk]);
    const at = Math.max(0, all.length - KEPT_BACK_BYTES);
    // An end of psql now is an error, which `end` explains.
    if (!(await feed(sink, all.subarray(0, at)))) await end;
    kept = all.subarray(at);
  }
  return kept;
}

async function drain(answers: AsyncIterator<Uint8Array>): Promise<void> {
  while ((await answers.next()).done !== true) continue;
}
