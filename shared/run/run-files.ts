import { createHash } from "node:crypto";
import * as promises from "../catalog/volume/volume-calls.ts";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { isUnfinished, type Admission, type NewRun, type Run, type RunStore, type Trigger } from "./run.ts";
import { asDormouseError, DormouseError } from "../errors.ts";
import type { Log } from "../log.ts";
import { inTurn } from "../waiting.ts";
import * as file from "../catalog/volume/files.ts";
import { runsFolder } from "../catalog/volume/open-volume.ts";
import { changing } from "../catalog/volume/change-lock.ts";
import { replaceFile, writeDurably } from "../catalog/volume/write-durably.ts";
import { readRecord, notSealed, recordPath, runRecords, type RunRecords } from "./run-records.ts";
import { sealedText, type RunSeal } from "./run-record.ts";

/**
 * Records of ended runs beyond these are removed, oldest first: some months of daily work. Of each kind and database, so
 * that no flood of events for one function pushes out what another has done.
 */
const KEPT_RECORDS = 200;
/** Between taking a name and filling it lie milliseconds. */
const CHECKS_OF_EMPTY = 10;
const CHECK_AGAIN_MS = 100;

type Written = Pick<RunRecords, "folder" | "seal">;
type Begun = { readonly run: Run; readonly isNew: boolean };

/**
 * Run records as files: `.dormouse/runs/<run>.json`. The name follows from the trigger, so that it is taken once. Where
 * there is a seal, records of its kind and database are believed only if they bear it.
 */
export function runFiles(backupDir: string, log: Log, seal?: RunSeal): RunStore {
  const records = runRecords(runsFolder(backupDir), log, seal);
  // One after the other: a retry may come with the time of another minute, and only a scan finds its run.
  const turn = inTurn(1);

  const all: RunStore["all"] = async (kind) => (await records.ours(kind)).toSorted(byAcceptance);

  return {
    begin: (wanted, admission = {}) =>
      turn(() => begin(records, { wanted, ...admission, backupDir, at: new Date() })),
    update: (run) => replace(records, { ...run, updatedAt: new Date() }),
    find: (id) => records.find(id),
    all,
    unfinished: async (kind, database) =>
      (await all(kind)).filter((run) => run.database === database && isUnfinished(run)),
    doubtful: (kind, covers) => records.doubtful(kind, covers),
    inUse: () => records.inUse(),
  };
}

type Asked = Admission & { readonly wanted: NewRun; readonly backupDir: string; readonly at: Date };

async function begin(records: RunRecords, asked: Asked): Promise<Begun> {
  const { wanted, admit, answeredBy } = asked;
  const found = await records.each();
  const same = found.find(({ run, isOurs }) => isOurs && isSameTrigger(run, wanted))?.run;
  const known = same === undefined ? await namedAs(records, wanted) : await records.find(same.id);
  if (known !== undefined && sameRequest(known, wanted).state !== "failed")
    return { run: known, isNew: false };
  const alike = found.filter(({ run }) => run.kind === wanted.kind && run.database === wanted.database);
  const other = await answeredBy?.(alike.flatMap(({ run, isOurs }) => (isOurs ? [run] : [])));
  if (other !== undefined) return { run: other, isNew: false };
  admit?.();
  if (known !== undefined) return beginAgain(records, known, asked);
  const runs = alike.map(({ run }) => run);
  await prune(records.folder, runs);
  return beginNew(records, asked);
}

async function beginNew(records: RunRecords, { wanted, backupDir, at }: Asked): Promise<Begun> {
  const run: Run = { ...wanted, id: runId(wanted), attempt: 1, ...acceptedAt(at) };
  if (await create(records, backupDir, run)) return { run, isNew: true };
  const winner = await records.find(run.id);
  return { run: winner === undefined ? run : sameRequest(winner, wanted), isNew: winner === undefined };
}

async function namedAs(records: RunRecords, wanted: NewRun): Promise<Run | undefined> {
  const found = await readNamed(records, { ...wanted, id: runId(wanted) });
  return found?.isOurs === true ? found.run : undefined;
}

/**
 * What has the name that a run has by its database: ours only if it says that one. What cannot be read belongs to no database;
 * of a restore it throws, since in it may stand what an application needs back.
 */
async function readNamed(
  { folder, seal }: Written,
  { id, kind, database }: Pick<Run, "id" | "kind" | "database">,
): Promise<{ readonly run?: Run; readonly isOurs: boolean } | undefined> {
  try {
    const found = await readRecord(folder, id, seal);
    if (found === undefined) return undefined;
    const { run, isOurs } = found;
    return { run, isOurs: isOurs && run.database === database };
  } catch (error) {
    if (kind === "restore" || asDormouseError(error).code !== "catalog_unreadable") throw error;
    return { isOurs: false };
  }
}

/** The same request starts a failed run again, under its name: once, of however many processes that find it failed. */
async function beginAgain(
  records: RunRecords,
  failed: Run,
  { wanted, backupDir, at }: Asked,
): Promise<Begun> {
  const { id, trigger, attempt } = failed;
  return changing(promises, backupDir, id, async (assertHeld) => {
    const now = await records.find(id);
    if (now !== undefined && now.attempt !== attempt) return { run: sameRequest(now, wanted), isNew: false };
    const run: Run = { ...wanted, id, trigger, attempt: attempt + 1, ...acceptedAt(at) };
    await assertHeld();
    await replace(records, run);
    return { run, isNew: true };
  });
}

function acceptedAt(at: Date): Pick<Run, "state" | "acceptedAt" | "updatedAt" | "steps"> {
  return { state: "accepted", acceptedAt: at, updatedAt: at, steps: [] };
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

async function create({ folder, seal }: Written, backupDir: string, run: Run): Promise<boolean> {
  const path = recordPath(folder, run.id);
  return writeDurably(promises, path, await sealedText(run, seal), {
    writer: run.id,
    what: `record of run ${run.id}`,
    async move(temporary) {
      await setAside({ folder, seal }, backupDir, run);
      return (
        (await file.moveWithoutClobbering(promises, temporary, path)) || (await replaceEmpty(temporary, path))
      );
    },
  });
}

/**
 * What is not ours must not keep a night from its backup: it stays under another name, to be looked at. In the record of
 * a restore may stand what an application needs back. Another process that found the same may have written its own by now.
 */
async function setAside(written: Written, backupDir: string, wanted: Run): Promise<void> {
  const { id, kind } = wanted;
  const read = () => readNamed(written, wanted);
  if ((await read())?.isOurs !== false) return;
  await changing(promises, backupDir, id, async (assertHeld) => {
    const found = await read();
    if (found?.isOurs !== false) return;
    if (kind === "restore" && found.run !== undefined && isUnfinished(found.run)) throw notSealed(id);
    await assertHeld();
    await promises.rename(recordPath(written.folder, id), join(written.folder, `${id}.unsealed`));
  });
}

/**
 * Where there are no hard links a name is first taken by an empty file, and a process that died then will not fill it. One that is
 * merely slow finds it filled.
 */
async function replaceEmpty(temporary: string, path: string): Promise<boolean> {
  for (let checks = 0; checks < CHECKS_OF_EMPTY; checks++) {
    const found = await file.statIfThere(promises, path);
    if (found === undefined || found.size > 0) return false;
    await pause(CHECK_AGAIN_MS);
  }
  await promises.rename(temporary, path);
  return true;
}

async function replace({ folder, seal }: Written, run: Run): Promise<void> {
  const writing = { writer: run.id, what: `record of run ${run.id}` };
  await replaceFile(promises, recordPath(folder, run.id), await sealedText(run, seal), writing);
}

async function prune(folder: string, records: readonly Run[]): Promise<void> {
  const ended = records.filter((run) => !isUnfinished(run)).toSorted(byAcceptance);
  for (const { id } of ended.slice(0, Math.max(0, ended.length - KEPT_RECORDS))) {
    await file.removeIfThere(promises, recordPath(folder, id));
  }
}

function byAcceptance(a: Run, b: Run): number {
  return a.acceptedAt.getTime() - b.acceptedAt.getTime();
}
