import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LoadChoice, LoadRequest } from "./load/load-choice.ts";
import { INHERITED } from "./process/child-process.ts";
import { startLoad, type Loader } from "./load-tool.ts";

/** Which entries of an archive pg_restore makes, in order; without a path all of them, as the archive has them. */
export type UsedList = { readonly path: string | undefined };

type Archive = Pick<LoadRequest, "database" | "file" | "choice" | "settings">;

type EntryLists = {
  /** What is to be there when the session begins that loads the rest; undefined where one session will do. */
  readonly before: UsedList | undefined;
  /** All else but event triggers. */
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
  const all = await listed(loader, archive, signal);
  const { lines } = withoutEntries(all, archive.choice);
  const isLast = (line: string) => EVENT_TRIGGER.test(line);
  const first = await firstEntries(loader, archive, signal);
  if (lines.length === all.length && !lines.some(isLast) && first.size === 0) {
    const whole = { path: undefined };
    return {
      before: undefined,
      content: whole,
      eventTriggers: undefined,
      inOrder: whole,
      [Symbol.asyncDispose]: async () => {},
    };
  }
  const before = lines.filter((line) => first.has(line));
  const content = lines.filter((line) => !isLast(line));
  const eventTriggers = lines.filter(isLast);
  const folder = await mkdtemp(join(tmpdir(), "dormouse-list-"));
  const write = (name: string, entries: readonly string[]) => writeList(join(folder, name), entries);
  return {
    before: before.length === 0 ? undefined : await write("before", before),
    content: await write(
      "content",
      content.filter((line) => !first.has(line)),
    ),
    eventTriggers: eventTriggers.length === 0 ? undefined : await write("event-triggers", eventTriggers),
    inOrder: await write("all", [...content, ...eventTriggers]),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

const OF_RIGHTS = /^\d+; \d+ \d+ (?:DEFAULT )?ACL /;

/**
 * A session ignores for good the configuration for text search that its database names and that is not there yet when it
 * begins: to_tsvector in a CHECK or a materialized view would then go by another. All that comes before rows is made by
 * a session of its own, but rights, by which the rows could not be loaded any more.
 */
async function firstEntries(
  loader: Loader,
  archive: Archive,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  if ("default_text_search_config" in archive.settings) return new Set();
  const early = await listed(loader, archive, signal, ["--section=pre-data"]);
  return new Set(early.filter((line) => !OF_RIGHTS.test(line)));
}

/** The caller's choice as options of pg_restore. */
export function chosen({ owner }: LoadChoice): string[] {
  return owner === "current" ? ["--no-owner"] : [];
}

export async function writeList(path: string, entries: readonly string[]): Promise<UsedList> {
  await writeFile(path, `${entries.join("\n")}\n`, { encoding: "latin1" });
  return { path };
}

/** `3466; 2606 16391 FK CONSTRAINT public child child_fk app`; the errors of pg_restore have the same without the schema. */
const ENTRY = /^(\d+; \d+ \d+) (.*)$/;
/** pg_restore leaves subscriptions out when it is asked to, and before 18 forgets what is said about them. */
const OF_SUBSCRIPTION = /^(?:COMMENT|SECURITY LABEL) - SUBSCRIPTION /;

/** The lines of a list but those to be left out, by their numbers or by what stands behind, and which of these there are not. */
export function withoutEntries(
  lines: readonly string[],
  { leaveOut = [] }: LoadChoice,
): {
  readonly lines: readonly string[];
  readonly leftOut: readonly string[];
  readonly unknown: readonly string[];
} {
  const unwanted = new Map(leaveOut.map((entry) => [keyOf(entry), entry]));
  const found = new Set<string>();
  const leftOut: string[] = [];
  const kept = lines.filter((line) => {
    const [, numbers = "", entry = ""] = ENTRY.exec(line) ?? [];
    const key = [numbers, entry.trimEnd()].find((each) => unwanted.has(each));
    if (key !== undefined) {
      found.add(key);
      leftOut.push(entryIn(line));
    }
    return key === undefined && !OF_SUBSCRIPTION.test(entry);
  });
  const unknown = [...unwanted].flatMap(([key, entry]) => (found.has(key) ? [] : [entry]));
  return { lines: kept, leftOut, unknown };
}

function keyOf(entry: string): string {
  return ENTRY.exec(entry)?.[1] ?? Buffer.from(entry.trimEnd()).toString("latin1");
}

/** A line of a list as `leaveOut` takes it. */
export function entryIn(line: string): string {
  return Buffer.from(ENTRY.exec(line)?.[2] ?? "", "latin1")
    .toString("utf8")
    .trimEnd();
}

/** What `pg_restore --list` prints, as lines; bytes stay bytes, since names are in whatever encoding the archive has. */
export function listLines(printed: string): string[] {
  return printed.split("\n").filter((line) => line !== "");
}

export function usingList({ path }: UsedList): string[] {
  return path === undefined ? [] : [`--use-list=${path}`];
}

async function listed(
  loader: Loader,
  { database, file }: Archive,
  signal: AbortSignal,
  options: readonly string[] = [],
): Promise<string[]> {
  const running = startLoad(
    loader,
    "pg_restore",
    { database, settings: {}, arguments: ["--list", ...options, INHERITED], inherits: file.fd },
    signal,
  );
  running.stdin.end();
  const chunks: Uint8Array[] = [];
  for await (const chunk of running.output) chunks.push(Uint8Array.from(chunk));
  return listLines(Buffer.concat(chunks).toString("latin1"));
}
