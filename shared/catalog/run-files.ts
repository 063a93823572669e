import { createHash } from "node:crypto";
import * as promises from "./volume-calls.ts";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parseRun, serialiseRun } from "../backup/run-record.ts";
import { isUnfinished, usesOf, type NewRun, type Run, type RunStore, type Trigger } from "../backup/run.ts";
import { asDormouseError, DormouseError } from "../errors.ts";
import type { Log } from "../log.ts";
import * as file from "./files.ts";
import { runsFolder } from "./open-volume.ts";

const RUN_ID = /^(?:backup|cull|restore)-[0-9a-f]{24}$/;
/** Records of ended runs beyond these are removed, oldest first: some months of daily work. */
const KEPT_RECORDS = 500;
/** Between taking a name and filling it lie milliseconds. */
const LOOKS_AT_EMPTY = 10;
const LOOK_AGAIN_MS = 100;

type Begun = { readonly run: Run; readonly isNew: boolean };

/** Run records as files: `.dormouse/runs/<run>.json`. The name follows from the trigger, so that it is taken once. */
export function runFiles(backupDir: string, log: Log, now: () => Date): RunStore {
  const folder = runsFolder(backupDir);
  let previous: Promise<unknown> = Promise.resolve();
  /** Runs that have ended stay so: `inUse`, which a cull asks before each removal, reads their records once. */
  const ended = new Set<string>();

  const begin = async (wanted: NewRun, admit: () => void): Promise<Begun> => {
    const records = await readEach(folder, { leaveOut: NONE, pick: withoutResult }, passedOver(log));
    const { id } = records.find((run) => isSameTrigger(run, wanted)) ?? { id: runId(wanted) };
    const known = await find(folder, id);
    if (known !== undefined && sameRequest(known, wanted).state !== "failed")
      return { run: known, isNew: false };
    admit();
    if (known === undefined) await prune(folder, records);
    else await takeAway(folder, known);

    const run = accepted(wanted, known, now());
    if (await create(folder, run)) return { run, isNew: true };
    const winner = await find(folder, run.id);
    return { run: winner === undefined ? run : sameRequest(winner, wanted), isNew: winner === undefined };
  };

  const all = async (kind: Run["kind"]) =>
    (await readAll(folder, log)).filter((run) => run.kind === kind).toSorted(byAcceptance);

  return {
    begin(wanted, admit = () => undefined) {
      // One after the other: a retry may come with the time of another minute, and only a scan finds its run.
      const begun = previous.then(() => begin(wanted, admit));
      previous = begun.catch(() => undefined);
      return begun;
    },
    update: (run) => replace(folder, { ...run, updatedAt: now() }),
    find: (id) => find(folder, id),
    all,
    unfinished: async (kind, database) =>
      (await all(kind)).filter((run) => run.database === database && isUnfinished(run)),
    inUse: () => inUse(folder, ended),
  };
}

async function inUse(folder: string, ended: Set<string>): Promise<ReadonlyMap<string, string>> {
  const records = await readEach(folder, { leaveOut: ended, pick: withoutResult }, (_, error) => {
    throw error;
  });
  const needing = records.filter(isUnfinished);
  // A run that failed may be begun again.
  for (const run of records) if (run.state === "succeeded") ended.add(run.id);
  return new Map(needing.flatMap((run) => usesOf(run).map((name) => [name, run.id] as const)));
}

/** A run that failed is begun again under its name, by whoever asks the same again. */
function accepted(wanted: NewRun, failed: Run | undefined, at: Date): Run {
  return {
    ...wanted,
    id: failed?.id ?? runId(wanted),
    trigger: failed?.trigger ?? wanted.trigger,
    state: "accepted",
    attempt: (failed?.attempt ?? 0) + 1,
    acceptedAt: at,
    updatedAt: at,
    steps: [],
  };
}

/** A schedule's tick is known by its minute, everything else by what its source calls it. */
function runId({ kind, database, trigger: { source, id, at, data } }: NewRun): string {
  const name =
    at === undefined ? `id\0${source}\0${id}` : `slot\0${source}\0${at.toISOString().slice(0, 16)}`;
  const key = data === undefined ? name : `${name}\0${data}`;
  return `${kind}-${createHash("sha256").update(`${database}\0${key}`).digest("hex").slice(0, 24)}`;
}

function isSameTrigger(run: Run, { kind, database, trigger }: NewRun): boolean {
  const same = (a: Trigger, b: Trigger) => a.source === b.source && a.id === b.id && a.data === b.data;
  return run.kind === kind && run.database === database && same(run.trigger, trigger);
}

/** Only a person's key can be used twice with another meaning: an event's data belong to its name. */
function sameRequest(run: Run, { trigger, request }: NewRun): Run {
  if (trigger.data !== undefined || JSON.stringify(run.request) === JSON.stringify(request)) return run;
  throw new DormouseError(
    "idempotency_key_reused",
    `key ${trigger.id} belongs to run ${run.id} with another request`,
    {
      hint: "use a new Idempotency-Key for a new request",
    },
  );
}

/**
 * Frees the name of a failed run. Of several processes that begin it again, one may find that another already has:
 * what it took away goes back.
 */
async function takeAway(folder: string, failed: Run): Promise<void> {
  const taken = join(folder, file.temporaryName(failed.id));
  try {
    await promises.rename(pathOf(folder, failed.id), taken);
    const text = await promises.readFile(taken, "utf8");
    if (text !== "" && parseRun(failed.id, text).attempt !== failed.attempt)
      await file.moveWithoutClobbering(promises, taken, pathOf(folder, failed.id));
    await file.removeIfThere(promises, taken);
  } catch (error) {
    if (file.codeOf(error) !== "ENOENT") throw file.volumeError(error, `record of run ${failed.id}`);
  }
}

async function create(folder: string, run: Run): Promise<boolean> {
  const temporary = join(folder, file.temporaryName(run.id));
  const path = pathOf(folder, run.id);
  try {
    await file.writeNew(promises, temporary, serialiseRun(run));
    const isFirst =
      (await file.moveWithoutClobbering(promises, temporary, path)) || (await replaceEmpty(temporary, path));
    if (!isFirst) await file.removeIfThere(promises, temporary);
    await file.syncFolder(promises, folder);
    return isFirst;
  } catch (error) {
    throw file.volumeError(error, `record of run ${run.id}`);
  }
}

/**
 * Where there are no hard links a name is first taken by an empty file, and whoever died then will not fill it. Who is
 * merely slow finds it filled.
 */
async function replaceEmpty(temporary: string, path: string): Promise<boolean> {
  for (let looks = 0; looks < LOOKS_AT_EMPTY; looks++) {
    const found = await file.lookAt(promises, path);
    if (found === undefined || found.size > 0) return false;
    await pause(LOOK_AGAIN_MS);
  }
  await promises.rename(temporary, path);
  return true;
}

async function replace(folder: string, run: Run): Promise<void> {
  const temporary = join(folder, file.temporaryName(run.id));
  try {
    await file.writeNew(promises, temporary, serialiseRun(run));
    await promises.rename(temporary, pathOf(folder, run.id));
    await file.syncFolder(promises, folder);
  } catch (error) {
    await file.clearUp(() => file.removeIfThere(promises, temporary));
    throw file.volumeError(error, `record of run ${run.id}`);
  }
}

async function find(folder: string, id: string): Promise<Run | undefined> {
  if (!RUN_ID.test(id)) return undefined;
  try {
    const text = await promises.readFile(pathOf(folder, id), "utf8");
    // Reserved for a run that has not begun, or never did.
    return text === "" ? undefined : parseRun(id, text);
  } catch (error) {
    if (file.codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** A record that cannot be read is reported and passed over: it must not keep the next backup from being taken. */
async function readAll(folder: string, log: Log): Promise<Run[]> {
  return readEach(folder, { leaveOut: NONE, pick: (run) => run }, passedOver(log));
}

const NONE: ReadonlySet<string> = new Set();

function passedOver(log: Log) {
  return (run: string, error: unknown) =>
    log.warn("run record passed over", { run, code: asDormouseError(error).code });
}

/** Who looks for a run among all needs no plan of thousands of backups from each. */
function withoutResult(run: Run): Run {
  return { ...run, result: undefined };
}

type Reading = { readonly leaveOut: ReadonlySet<string>; readonly pick: (run: Run) => Run };

async function readEach(
  folder: string,
  { leaveOut, pick }: Reading,
  fault: (run: string, error: unknown) => void,
): Promise<Run[]> {
  const names = await promises.readdir(folder).catch((error: unknown) => {
    throw new DormouseError("catalog_unreadable", `run records in ${folder} cannot be listed`, {
      hint: "check the volume and its mount",
      cause: error,
    });
  });
  const ids = names.map((name) => name.replace(/\.json$/, "")).filter((id) => RUN_ID.test(id));
  const runs: Run[] = [];
  for (const id of ids.filter((each) => !leaveOut.has(each))) {
    try {
      const run = await find(folder, id);
      if (run !== undefined) runs.push(pick(run));
    } catch (error) {
      fault(id, error);
    }
  }
  return runs;
}

async function prune(folder: string, records: readonly Run[]): Promise<void> {
  // What names a database that still has to be dropped stays, whatever its age.
  const ended = records.filter((run) => !isUnfinished(run) && run.kept === undefined).toSorted(byAcceptance);
  for (const { id } of ended.slice(0, Math.max(0, ended.length - KEPT_RECORDS))) {
    await file.removeIfThere(promises, pathOf(folder, id));
  }
}

function byAcceptance(a: Run, b: Run): number {
  return a.acceptedAt.getTime() - b.acceptedAt.getTime();
}

function pathOf(folder: string, id: string): string {
  return join(folder, `${id}.json`);
}
