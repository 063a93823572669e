import { close, fstat, open as openFile, read } from "node:fs";
import * as fs from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { promisify } from "node:util";
import { DormouseError } from "../../errors.ts";

export { constants } from "node:fs";

type Call = (...args: readonly unknown[]) => Promise<unknown>;
type Overdue = { readonly what: string; readonly sinceMs: number };

/** What waits for all that is still to be written may take longer. */
const SYNC_FACTOR = 10;
const OF_HANDLES = [
  "read",
  "readFile",
  "stat",
  "write",
  "writeFile",
  "truncate",
  "sync",
  "datasync",
  "close",
];
const SYNCING = new Set(["sync", "datasync", "close"]);

let limitMs = 60_000;
/** Calls whose time is over and that are not answered yet. */
const overdue = new Set<Overdue>();

/** How long a volume may leave a call unanswered: a process has one limit, for BACKUP_DIR and RESTORE_DIR. */
export function limitVolumeCalls(ms: number): void {
  limitMs = ms;
}

/**
 * The calls of `node:fs/promises` that this folder makes, each with a deadline: a network file system whose server is
 * gone answers never. Throws `volume_silent`, naming call and path; then, until that call is answered, at once for every
 * other one. Each that hangs takes one of the few threads that Node has for files and names of hosts, and what was given
 * up may still happen: nothing newer must be overtaken by it.
 */
function limited<Real>(name: string, path?: unknown): Real {
  const call: Call = (...args) => {
    const real = (fs as unknown as Readonly<Record<string, Call>>)[name];
    return answered(`${name} of ${String(path ?? args[0])}`, limitMs, async () => real?.(...args));
  };
  return call as Real;
}

export const access = limited<typeof fs.access>("access");
export const chmod = limited<typeof fs.chmod>("chmod");
export const link = limited<typeof fs.link>("link");
export const lstat = limited<typeof fs.lstat>("lstat");
export const mkdir = limited<typeof fs.mkdir>("mkdir");
export const readdir = limited<typeof fs.readdir>("readdir");
export const rename = limited<typeof fs.rename>("rename");
export const rm = limited<typeof fs.rm>("rm");
export const rmdir = limited<typeof fs.rmdir>("rmdir");
export const stat = limited<typeof fs.stat>("stat");
export const statfs = limited<typeof fs.statfs>("statfs");
export const unlink = limited<typeof fs.unlink>("unlink");

export async function open(...args: Parameters<typeof fs.open>): Promise<FileHandle> {
  const handle = await limited<typeof fs.open>("open")(...args);
  const calls = handle as unknown as Record<string, Call>;
  for (const name of OF_HANDLES) {
    const real = calls[name]?.bind(handle);
    const ms = limitMs * (SYNCING.has(name) ? SYNC_FACTOR : 1);
    if (real !== undefined)
      calls[name] = (...given) => answered(`${name} of ${String(args[0])}`, ms, () => real(...given));
  }
  return handle;
}

/** By numbers of files: a listing opens thousands, and a handle costs it more than all that is asked of the system. */
const numbered = {
  open: promisify(openFile),
  stat: promisify(fstat),
  read: promisify(read),
  close: promisify(close),
};
/** What most manifests and records have less than. */
const SMALL_BYTES = 1 << 16;
const spare: Buffer[] = [];

/**
 * What `use` makes of the first `limit` bytes of a regular file, opened with `flags`; `undefined` of anything else. There is
 * one deadline for all of it, and the bytes are good until `use` returns.
 */
export function readRegular<Result>(
  path: string,
  flags: number,
  limit: number,
  use: (bytes: Buffer) => Result,
): Promise<Result | undefined> {
  const reading = answered(`read of ${path}`, limitMs, async () => {
    const fd = await numbered.open(path, flags);
    try {
      const found = await numbered.stat(fd);
      return found.isFile() ? await readStart(fd, Math.min(limit, found.size), use) : undefined;
    } finally {
      await numbered.close(fd);
    }
  });
  return reading as Promise<Result | undefined>;
}

async function readStart<Result>(
  fd: number,
  length: number,
  use: (bytes: Buffer) => Result,
): Promise<Result> {
  const isSmall = length <= SMALL_BYTES;
  const memory =
    (isSmall ? spare.pop() : undefined) ?? Buffer.allocUnsafeSlow(isSmall ? SMALL_BYTES : length);
  try {
    let end = 0;
    for (let got = 1; end < length && got > 0; end += got)
      got = (await numbered.read(fd, memory, end, length - end, end)).bytesRead;
    return use(memory.subarray(0, end));
  } finally {
    if (isSmall) spare.push(memory);
  }
}

/** Why the volume counts as gone, without asking it: `undefined` while it answers. */
function volumeTrouble(): DormouseError | undefined {
  const [first] = overdue;
  if (first === undefined) return undefined;
  return silent(first, Math.round((performance.now() - first.sinceMs) / 1000));
}

/** Asks the volume each time, and answers by what it has or has not answered before: it is never waited for. */
export function volumeWatch(backupDir: string): () => DormouseError | undefined {
  let isAsking = false;
  return () => {
    const trouble = volumeTrouble();
    if (trouble !== undefined || isAsking) return trouble;
    isAsking = true;
    const asked = stat(backupDir).then(
      () => undefined,
      () => undefined,
    );
    void asked.then(() => (isAsking = false));
    return undefined;
  };
}

/** How a person comes from the claim to the storage behind it. */
export const STORAGE =
  "kubectl describe pvc names the claim's volume, and kubectl describe pv the storage behind that";

async function answered(what: string, ms: number, begin: () => Promise<unknown>): Promise<unknown> {
  const trouble = volumeTrouble();
  // What is open is closed in any case, whenever that may be.
  if (trouble !== undefined && !what.startsWith("close")) throw trouble;
  const begun = { what, sinceMs: performance.now() };
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      overdue.add(begun);
      reject(silent(begun, ms / 1000));
    }, ms);
    const ended = () => {
      clearTimeout(timer);
      overdue.delete(begun);
    };
    // A listing of thousands of backups is tens of thousands of calls: no promise more than it takes.
    begin().then(
      (answer) => {
        ended();
        resolve(answer);
      },
      (error: unknown) => {
        ended();
        reject(error as Error);
      },
    );
  });
}

function silent({ what }: Overdue, seconds: number): DormouseError {
  return new DormouseError("volume_silent", `the volume does not answer: ${what}, for ${seconds} s`, {
    hint: `mend the server behind the volume (NFS, CephFS, SMB), and it goes on: ${STORAGE}`,
  });
}
