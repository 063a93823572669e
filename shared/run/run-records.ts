import { join } from "node:path";
import { isUnfinished, listUses, type DoubtfulRecord, type Run, type RunStore } from "./run.ts";
import { asDormouseError, DormouseError } from "../errors.ts";
import type { Log } from "../log.ts";
import { unreadable } from "../catalog/volume/files.ts";
import { readWhole } from "../catalog/volume/open-regular.ts";
import * as promises from "../catalog/volume/volume-calls.ts";
import { parseRun, isSealed, type RunSeal } from "./run-record.ts";

const RUN_ID = /^(?:backup|cull|restore)-[0-9a-f]{24}$/;

/** A record as it lies there; `isOurs` when its seal proves it, or where there is nothing to prove. */
export type FoundRecord = { readonly run: Run; readonly isOurs: boolean };

export function recordPath(folder: string, id: string): string {
  return join(folder, `${id}.json`);
}

/** `undefined` where there is none, or only its name is taken. Throws `catalog_unreadable`. */
export async function readRecord(
  folder: string,
  id: string,
  seal: RunSeal | undefined,
): Promise<FoundRecord | undefined> {
  if (!RUN_ID.test(id)) return undefined;
  try {
    const text = await readWhole(promises, recordPath(folder, id));
    // Empty: reserved for a run that has not begun, or never did.
    if (text === undefined || text === "") return undefined;
    const run = parseRun(id, text);
    const isAnothers = seal === undefined || run.kind !== seal.kind || !seal.covers(run.database);
    return { run, isOurs: isAnothers || (await isSealed(text, seal)) };
  } catch (error) {
    throw unreadable(error, `record of run ${id}`);
  }
}

export type RunRecords = {
  readonly folder: string;
  readonly seal: RunSeal | undefined;
  /** All that can be read, without results; each process logs once what cannot, or is not ours. */
  each(): Promise<readonly FoundRecord[]>;
  ours(kind: Run["kind"]): Promise<readonly Run[]>;
  /** Throws `record_unsealed`. */
  find(id: string): Promise<Run | undefined>;
  doubtful: RunStore["doubtful"];
  inUse: RunStore["inUse"];
};

/** How the records in a folder are read; `seal` proves those that are ours. */
export function runRecords(folder: string, log: Log, seal: RunSeal | undefined): RunRecords {
  const warn = warnOnce(log);
  /** Runs that have ended stay so: `inUse`, which a cull asks before each removal, reads their records once. */
  const ended = new Set<string>();

  async function each(): Promise<readonly FoundRecord[]> {
    const found = await eachRecord(folder, seal, (id, error) => warn.unreadable(id, error));
    warn.unsealed(found.flatMap(({ run, isOurs }) => (isOurs ? [] : [run.id])));
    return found;
  }

  return {
    folder,
    seal,
    each,
    ours: async (kind) =>
      (await each()).flatMap(({ run, isOurs }) => (isOurs && run.kind === kind ? [run] : [])),
    async find(id) {
      const found = await readRecord(folder, id, seal);
      if (found?.isOurs === false) throw notSealed(id);
      return found?.run;
    },
    doubtful: (kind, covers) => doubtful(folder, seal, kind, covers),
    inUse: () => inUse(folder, ended),
  };
}

/** Each process logs once what it ignores. */
function warnOnce(log: Log) {
  const logged = new Set<string>();
  const isNews = (run: string) => !logged.has(run) && logged.add(run) !== undefined;
  return {
    unreadable(run: string, error: unknown): void {
      if (isNews(run)) log.warn("run record ignored", { run, code: asDormouseError(error).code });
    },
    unsealed(runs: readonly string[]): void {
      const news = runs.filter(isNews);
      if (news.length === 0) return;
      const { code, hint } = notSealed("");
      log.warn("run records not sealed", { code, hint, records: news.length, runs: news.slice(0, 10) });
    },
  };
}

async function doubtful(
  folder: string,
  seal: RunSeal | undefined,
  kind: Run["kind"],
  covers: (database: string) => boolean,
): Promise<readonly DoubtfulRecord[]> {
  const unreadable: DoubtfulRecord[] = [];
  const found = await eachRecord(folder, seal, (id) => {
    if (id.startsWith(`${kind}-`)) unreadable.push({ id, why: "cannot be read" });
  });
  const unsealed = found.filter(
    ({ run, isOurs }) => !isOurs && run.kind === kind && covers(run.database) && isUnfinished(run),
  );
  return [
    ...unreadable,
    ...unsealed.map(({ run }) => ({ id: run.id, why: "does not bear our seal", says: run })),
  ];
}

/** A record that is not believed keeps what it names all the same: the mistake is then a backup too many. */
async function inUse(folder: string, ended: Set<string>): Promise<ReadonlyMap<string, string>> {
  const fault = (_: string, error: unknown) => {
    throw error;
  };
  const records = (await eachRecord(folder, undefined, fault, ended)).map(({ run }) => run);
  const needing = records.filter(isUnfinished);
  // A run that failed may be begun again.
  for (const run of records) if (run.state === "succeeded") ended.add(run.id);
  return new Map(needing.flatMap((run) => listUses(run).map((name) => [name, run.id] as const)));
}

/** Every record but those of `leaveOut`; `fault` is called with each that cannot be read. */
async function eachRecord(
  folder: string,
  seal: RunSeal | undefined,
  fault: (run: string, error: unknown) => void,
  leaveOut: ReadonlySet<string> = new Set(),
): Promise<FoundRecord[]> {
  const names = await promises.readdir(folder).catch((error: unknown) => {
    throw unreadable(error, `folder of run records ${folder}`);
  });
  const ids = names.map((name) => name.replace(/\.json$/, "")).filter((id) => RUN_ID.test(id));
  const found: FoundRecord[] = [];
  for (const id of ids.filter((each) => !leaveOut.has(each))) {
    try {
      const record = await readRecord(folder, id, seal);
      if (record !== undefined) found.push({ ...record, run: withoutResult(record.run) });
    } catch (error) {
      fault(id, error);
    }
  }
  return found;
}

/** A search among all runs does not need the plan of thousands of backups in each. */
function withoutResult(run: Run): Run {
  const { result, ...rest } = run;
  return result === undefined ? run : rest;
}

export function notSealed(id: string): DormouseError {
  return new DormouseError(
    "record_unsealed",
    `the record of run ${id} does not bear the seal of this function`,
    {
      hint: "it was changed, or written before the password or the version: nothing is done for it; docs/security.md",
    },
  );
}
