// The memory of a process with all that it has started, as the container's limit counts it.
import { readdir, readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";

const LOOK_EVERY_MS = 200;

type Seen = { readonly pid: number; readonly parent: number; readonly kb: number };

/** Looks on until it is disposed of. */
export function watchMemory(pid: number): { peakMb(): number; [Symbol.asyncDispose](): Promise<void> } {
  const ended = new AbortController();
  let peakKb = 0;
  const watching = (async () => {
    while (!ended.signal.aborted) {
      peakKb = Math.max(peakKb, sumOf(pid, await allProcesses()));
      await pause(LOOK_EVERY_MS, undefined, { signal: ended.signal }).catch(() => undefined);
    }
  })();
  return {
    peakMb: () => peakKb / 1024,
    async [Symbol.asyncDispose]() {
      ended.abort();
      await watching;
    },
  };
}

async function allProcesses(): Promise<readonly Seen[]> {
  const names = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const seen = await Promise.all(names.map(look));
  return seen.filter((each) => each !== undefined);
}

/** Anonymous memory alone: pages of files are given back when others need them. */
async function look(name: string): Promise<Seen | undefined> {
  const status = await readFile(`/proc/${name}/status`, "utf8").catch(() => "");
  const [, parent] = /^PPid:\s+(\d+)/m.exec(status) ?? [];
  if (parent === undefined) return undefined;
  return {
    pid: Number(name),
    parent: Number(parent),
    kb: Number(/^RssAnon:\s+(\d+)/m.exec(status)?.[1] ?? 0),
  };
}

function sumOf(pid: number, all: readonly Seen[]): number {
  const children = all.filter(({ parent }) => parent === pid);
  const own = all.find((each) => each.pid === pid)?.kb ?? 0;
  return children.reduce((sum, child) => sum + sumOf(child.pid, all), own);
}
