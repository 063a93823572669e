import {
  compareRows,
  type Comparison,
  type TableCount,
} from "../../../shared/postgres/databases/compare-rows.ts";
import {
  compareValues,
  hasValues,
  type NotedValues,
} from "../../../shared/postgres/databases/compare-values.ts";
import { tableKey, type TableRows } from "../../../shared/postgres/plain-dump/plain-dump.ts";
import type { Settings } from "../../../shared/postgres/properties/database-properties.ts";
import { quietOf } from "../../../shared/postgres/properties/session-settings.ts";
import { progressOf } from "../../../shared/run/progress.ts";
import { inspectDatabase } from "../../../shared/postgres/preflight.ts";
import { readJournal, type Restoring } from "../restoring.ts";
import type { Load } from "../archive/verify-archive.ts";
import { EFFECTS } from "../plan/strategy.ts";

const REPORT_EVERY_MS = 2_000;

type Loaded = {
  /** Those whose rows are to be there. */
  readonly tables: readonly TableRows[];
  /** What the load worked under. */
  readonly settings: Settings;
};

/** ANALYZE, and the loaded database against the backup: its rows, and where that is asked for their values. */
export async function compareLoaded(restoring: Restoring, load: Load, given: Loaded): Promise<Comparison> {
  const { signal, step, server } = restoring;
  const { loaded, strategy, compare } = readJournal(restoring);
  const quiet = quietOf(given.settings);
  const [counts] = await Promise.all([
    server.countRows(loaded, given.tables, signal, quiet),
    server.analyze(loaded, signal, quiet),
  ]);
  const counted = compareRows(given.tables, counts);
  const noted = load.backup.manifest?.content;
  const isAsked = EFFECTS[strategy].drops || compare === "values";
  const compared = !isAsked
    ? counted
    : hasValues(noted)
      ? await valuesCompared(restoring, load, { ...given, noted, counted, counts })
      : { ...counted, onlyCounted: ["all: the backup has no hashes of its values"] };
  await step("compared", { ...compared });
  return compared;
}

type Counted = Loaded & {
  readonly noted: NotedValues;
  readonly counted: Comparison;
  readonly counts: readonly TableCount[];
};

async function valuesCompared(
  restoring: Restoring,
  { backup, tools }: Load,
  { settings, noted, counted, counts }: Counted,
): Promise<Comparison> {
  const { connection, signal } = restoring;
  const { loaded: database, leaveOut } = readJournal(restoring);
  const { manifest } = backup;
  const columns = new Map(noted.tables.map((table) => [tableKey(table), table.columns]));
  const { lacks } = await inspectDatabase({ ...connection, given: quietOf(settings) }, database, signal);
  const found = await tools.readBack(
    {
      database,
      encoding: manifest?.properties?.encoding ?? "UTF8",
      settings,
      columnsOf: (table) => columns.get(tableKey(table)),
      lacks,
    },
    reportingProgress(restoring, manifest?.archive.plainBytes),
    signal,
  );
  return compareValues(counted, noted, found, {
    counts,
    isSameRelease: majorOf(manifest?.versions.server) === majorOf(tools.version),
    isPartial: leaveOut !== undefined,
    unread: lacks.map(({ kind }) => kind),
  });
}

function majorOf(version = ""): string {
  return version.split(".")[0] ?? version;
}

function reportingProgress(restoring: Restoring, expectedBytes: number | undefined): (bytes: number) => void {
  const begunMs = performance.now();
  let reportedMs = begunMs;
  return (bytes) => {
    const nowMs = performance.now();
    if (nowMs - reportedMs < REPORT_EVERY_MS) return;
    reportedMs = nowMs;
    const progress = progressOf(bytes, expectedBytes, nowMs - begunMs);
    restoring.progress({ comparing: readJournal(restoring).loaded, ...progress });
  };
}
