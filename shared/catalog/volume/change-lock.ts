import { randomUUID } from "node:crypto";
import { STORAGE } from "./volume-calls.ts";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { DormouseError, readCode } from "../../errors.ts";
import * as file from "./files.ts";
import type { Files } from "./files.ts";
import { readWhole } from "./open-regular.ts";

/** A change takes milliseconds. A holder that kept a lock for so long, unchanged, on another machine, is gone. */
const GONE_AFTER_MS = 15_000;
const LOOK_AGAIN_MS = 20;

/** What this process holds or waits for. */
const ownLocks = new Set<string>();

/** Throws when another process has taken the lock away meanwhile: right before what must not happen twice. */
export type AssertHeld = () => Promise<void>;

/**
 * Runs `work` while no other process changes the manifest of an archive, or the record of a run, of that name. A file system has no
 * compare-and-set, so a file that only one can make (O_EXCL, also where there are no hard links) stands for the right to read,
 * change and write.
 */
export async function changing<Result>(
  files: Files,
  backupDir: string,
  name: string,
  work: (assertHeld: AssertHeld) => Promise<Result>,
): Promise<Result> {
  const path = join(backupDir, ".dormouse", `changing-${name.replaceAll("/", "-")}`);
  const own = `${hostname()} ${process.pid} ${randomUUID()}`;
  ownLocks.add(own);
  try {
    await acquire(files, path, own);
    return await work(async () => {
      if ((await readHolder(files, path)) !== own) throw lost(name);
    });
  } finally {
    await file.clearUp(
      async () => (await readHolder(files, path)) === own && file.removeIfThere(files, path),
    );
    ownLocks.delete(own);
  }
}

async function acquire(files: Files, path: string, own: string): Promise<void> {
  let seen = { holder: undefined as string | undefined, sinceMs: 0 };
  while (!(await take(files, path, own))) {
    const holder = await readHolder(files, path);
    if (holder === undefined) continue;
    if (holder !== seen.holder) seen = { holder, sinceMs: performance.now() };
    if (isGone(holder) || performance.now() - seen.sinceMs > GONE_AFTER_MS)
      await breakLock(files, path, holder);
    else await pause(LOOK_AGAIN_MS);
  }
}

async function take(files: Files, path: string, own: string): Promise<boolean> {
  try {
    const handle = await files.open(path, "wx", file.FILE_MODE);
    try {
      await handle.writeFile(own);
    } finally {
      await handle.close();
    }
    return true;
  } catch (error) {
    if (readCode(error) === "EEXIST") return false;
    throw file.volumeError(error, path);
  }
}

async function readHolder(files: Files, path: string): Promise<string | undefined> {
  return readWhole(files, path).catch((error: unknown) => {
    throw file.volumeError(error, path);
  });
}

/** On the same machine the process itself shows it. A container that was started again has the number of the one before. */
function isGone(holder: string): boolean {
  const [host, pid = ""] = holder.split(" ");
  if (host !== hostname() || holder === "") return false;
  if (Number(pid) === process.pid) return !ownLocks.has(holder);
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return readCode(error) === "ESRCH";
  }
}

/** Of several that find a holder gone, one takes its file away; a process that finds that it took a living one's puts it back. */
async function breakLock(files: Files, path: string, holder: string): Promise<void> {
  // A sweep removes it, should this process be killed before it does.
  const taken = join(dirname(path), file.temporaryName("changing"));
  try {
    await files.rename(path, taken);
    if ((await readHolder(files, taken)) !== holder) await file.moveWithoutClobbering(files, taken, path);
    await file.removeIfThere(files, taken);
  } catch (error) {
    if (readCode(error) !== "ENOENT") throw file.volumeError(error, path);
  }
}

function lost(name: string): DormouseError {
  return new DormouseError(
    "volume_unwritable",
    `the change of ${name} took too long: another one came first`,
    {
      hint: `ask again; if it happens often, the volume takes seconds for a small file: ${STORAGE}`,
    },
  );
}
