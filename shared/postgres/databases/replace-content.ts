import type { Writable } from "node:stream";
import { COUNTED, COUNTING, listed, NAMED_SCHEMA, NAMED_TABLE } from "./count-rows.ts";
import { ROWS_DIFFER, WRITTEN_MEANWHILE } from "./compare-rows.ts";
import type { TableRows } from "../plain-dump/plain-dump.ts";
import type { LoadRequest } from "../load/load-choice.ts";
import { DormouseError } from "../../errors.ts";
import { chosen, entryLists, usingList, type UsedList } from "../archive-list.ts";
import { INHERITED, type RunningTool } from "../process/child-process.ts";
import { feed } from "../process/pipes.ts";
import { startLoad, type Loader } from "../load-tool.ts";
import { withoutStatistics } from "../pg-restore.ts";
import { PSQL } from "../psql.ts";
import { WIPE } from "./wipe.ts";
import { literal } from "../sql-text.ts";

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
 * partitions that the dump does not name.
 */
function writeCheck(tables: readonly TableRows[]): string {
  const body = `DECLARE ${COUNTED} item record; total bigint; amounts bigint[] := ARRAY[${tables.map(({ rows }) => rows).join(", ")}];
    wanted oid[] := ARRAY(SELECT c.oid FROM ${listed(tables)} JOIN ${NAMED_SCHEMA} JOIN ${NAMED_TABLE});
  BEGIN
    FOR item IN SELECT format('%I.%I', named.schema, named.name) AS what, c.oid, sum(amounts[n]) AS rows,
        EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND deptype = 'e' AND objid = c.oid) AS is_configuration
      FROM ${listed(tables)} LEFT JOIN ${NAMED_SCHEMA} LEFT JOIN ${NAMED_TABLE} GROUP BY 1, 2 LOOP
      IF item.oid IS NULL THEN RAISE EXCEPTION '${ROWS_DIFFER}: % is missing', item.what; END IF;
      total := 0;
      FOR relation IN SELECT c.oid FROM pg_class c
        WHERE c.relkind <> 'p' AND (c.oid = item.oid OR (
          c.relkind = 'r' AND c.oid IN (SELECT relid FROM pg_partition_tree(item.oid))
          AND c.oid <> ALL (wanted))) LOOP
        ${COUNTING}
        total := total + counted;
      END LOOP;
      IF total < item.rows OR (total > item.rows AND NOT item.is_configuration) THEN
        RAISE EXCEPTION '${ROWS_DIFFER}: % has % rows instead of %', item.what, total, item.rows::text
          || CASE WHEN total > item.rows THEN format('${WRITTEN_MEANWHILE}', total - item.rows) ELSE '' END;
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
