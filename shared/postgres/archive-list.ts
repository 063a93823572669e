import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LoadRequest } from "./databases/restore-port.ts";
import { INHERITED } from "./process/child-process.ts";
import { startLoad, type Loader } from "./load-tool.ts";

/** Which entries of an archive pg_restore makes, in order; without a path all of them, as the archive has them. */
export type UsedList = { readonly path: string | undefined };

type Archive = Pick<LoadRequest, "database" | "file">;

export type EntryLists = {
  /** All but event triggers. */
  readonly content: UsedList;
  /** Event triggers; undefined where there are none. */
  readonly eventTriggers: UsedList | undefined;
  /** All, event triggers last. */
  readonly inOrder: UsedList;
  [Symbol.asyncDispose](): Promise<void>;
};

/** `3466; 3466 16391 EVENT TRIGGER - name owner`, and what is said about one. */
const EVENT_TRIGGER = /^\d+; \d+ \d+ (?:EVENT TRIGGER|(?:COMMENT|SECURITY LABEL) - EVENT TRIGGER) /;

/**
 * An archive makes event triggers before it fills materialized views, and those fire for it: they go last, when there is
 * nothing left that they could fire for.
 */
export async function entryLists(loader: Loader, archive: Archive, signal: AbortSignal): Promise<EntryLists> {
  const lines = await listed(loader, archive, signal);
  const isLast = (line: string) => EVENT_TRIGGER.test(line);
  if (!lines.some(isLast)) {
    const all = { path: undefined };
    return { content: all, eventTriggers: undefined, inOrder: all, [Symbol.asyncDispose]: async () => {} };
  }
  const content = lines.filter((line) => !isLast(line));
  const eventTriggers = lines.filter(isLast);
  const folder = await mkdtemp(join(tmpdir(), "dormouse-list-"));
  const write = async (name: string, entries: readonly string[]) => {
    const file = join(folder, name);
    await writeFile(file, `${entries.join("\n")}\n`, { encoding: "latin1" });
    return { path: file };
  };
  return {
    content: await write("content", content),
    eventTriggers: await write("event-triggers", eventTriggers),
    inOrder: await write("all", [...content, ...eventTriggers]),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

export function usingList({ path }: UsedList): string[] {
  return path === undefined ? [] : [`--use-list=${path}`];
}

/** Names are in whatever encoding the archive has: bytes stay bytes. */
async function listed(loader: Loader, { database, file }: Archive, signal: AbortSignal): Promise<string[]> {
  const running = startLoad(
    loader,
    "pg_restore",
    { database, settings: {}, arguments: ["--list", INHERITED], inherits: file.fd },
    signal,
  );
  running.stdin.end();
  const chunks: Uint8Array[] = [];
  for await (const chunk of running.output) chunks.push(Uint8Array.from(chunk));
  return Buffer.concat(chunks)
    .toString("latin1")
    .split("\n")
    .filter((line) => line !== "");
}
