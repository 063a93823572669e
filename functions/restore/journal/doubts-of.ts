import type { DatabaseMark } from "../../../shared/postgres/databases/database-mark.ts";
import { parseJournal } from "./journal.ts";
import type { DoubtfulRecord } from "../../../shared/run/run.ts";
import { workloadText } from "../workloads/workload.ts";
import type { RestoreDependencies } from "../restoring.ts";
import { isRunDatabase } from "../../../shared/postgres/databases/own-database.ts";

export type Doubt = {
  readonly run: string;
  /** Whether nothing of the database is restored before a person has looked. */
  readonly stops: boolean;
  readonly detail: string;
  readonly remedy: string;
};

type Dependencies = Pick<RestoreDependencies, "runs" | "server" | "settings">;

/** The records that cannot be believed, and what only a person can do about each. */
export async function findDoubts(
  { runs, server, settings: { database, shares } }: Dependencies,
  signal: AbortSignal,
): Promise<readonly Doubt[]> {
  const records = await runs.doubtful("restore", (other) => other === database || shares(other));
  if (records.length === 0) return [];
  const marks = await server.readMarks(signal);
  const sharing = [...marks.keys()].filter(shares);
  return records.flatMap((record) => {
    const { id, says } = record;
    const isOfOther = says !== undefined && says.database !== database;
    if (!isOfOther && mayHaveStopped(id, database, marks)) return [stopping(record)];
    // Its workloads may be at zero for that one, which this one would take for what they had.
    const other = sharing.find((live) => markedBy(id, marks).some((name) => isOf(name, live)));
    if (other !== undefined) return [stopping(record, other)];
    return isOfOther ? [] : [harmless(record, database)];
  });
}

function markedBy(run: string, marks: ReadonlyMap<string, DatabaseMark>): readonly string[] {
  return [...marks].flatMap(([name, { underWay }]) => (underWay === run ? [name] : []));
}

/** Whether a restore of `live` that stops something marks a database of that name. */
function isOf(name: string, live: string): boolean {
  return name === live || isRunDatabase(name, live, "restore") || isRunDatabase(name, live, "before");
}

/**
 * A restore marks a database of its own before it stops anything, and the live one until all is started again. So one
 * that no mark names has stopped nothing, unless the live database is gone and its mark with it.
 */
function mayHaveStopped(run: string, live: string, marks: ReadonlyMap<string, DatabaseMark>): boolean {
  const marked = markedBy(run, marks);
  return marked.length === 0 ? !marks.has(live) : marked.some((name) => isOf(name, live));
}

/** `other` is a database that has a workload in common with this one. */
function stopping(record: DoubtfulRecord, other?: string): Doubt {
  const { id, why } = record;
  const replicas = replicasIn(record);
  const stopped = replicas === "" ? "" : ` (it says that there were ${replicas})`;
  const of = other === undefined ? "" : ` of ${JSON.stringify(other)}, which has workloads in common,`;
  return {
    run: id,
    stops: true,
    detail: `the record of ${id} ${why}: what that restore${of} stopped or changed is unknown${stopped}`,
    remedy: `give the workloads their replicas, then move ${formatPath(id)} away: docs/when-it-says-no.md`,
  };
}

function harmless({ id, why }: DoubtfulRecord, database: string): Doubt {
  return {
    run: id,
    stops: false,
    detail: `the record of ${id} ${why}: no restore of ${JSON.stringify(database)} is under way by it, so it stops none`,
    remedy: `look whose it is, then move ${formatPath(id)} away: docs/when-it-says-no.md`,
  };
}

function formatPath(id: string): string {
  return `.dormouse/runs/${id}.json`;
}

/** Names as Kubernetes has them: a text that others wrote may end up in an operator's shell. */
const WORKLOAD_NAME = /^[a-z0-9][-.a-z0-9]{0,252}$/;

function replicasIn({ says }: DoubtfulRecord): string {
  try {
    const workloads = parseJournal(says?.journal)?.workloads ?? [];
    return workloads
      .filter(({ name }) => WORKLOAD_NAME.test(name))
      .map(({ replicas, ...workload }) => `${workloadText(workload)} ${replicas}`)
      .join(", ");
  } catch {
    return "";
  }
}
