import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LoadChoice } from "../load/load-choice.ts";
import { type ArchiveDemands, type PlainDump, plainDumpScanner } from "./plain-dump.ts";
import { chosen, entryIn, listLines, usingList, withoutEntries, writeList } from "../archive-list.ts";
import type { ClientTools } from "../client-tools.ts";
import { entriesOfOneDatabase, oneDatabaseOnly } from "../properties/one-database.ts";
import type { Owned, ScriptMakes } from "./script-makes.ts";
import { listContents, PRINT_WITHIN_MS } from "../archive-contents.ts";
import { feed } from "../process/pipes.ts";
import { startReading } from "../read-archive.ts";

type Begin = () => AsyncIterable<Uint8Array>;

/**
 * What an archive makes and needs, by the script that pg_restore prints of its table of contents. That stands at its
 * beginning: no more is read. Throws `archive_damaged`.
 */
export async function readMakes(
  tools: Pick<ClientTools, "binDir">,
  begin: Begin,
  choice: LoadChoice,
  signal: AbortSignal,
): Promise<ArchiveDemands> {
  const options = ["--section=pre-data", "--section=post-data", "--no-subscriptions", ...chosen(choice)];
  const listed = listLines(await listContents(tools, begin(), signal));
  const { lines, leftOut, unknown } = withoutEntries(listed, choice);
  const entries = lines.map(entryIn);
  const found = (script: PlainDump) => ({
    ...script,
    makes: withLargeObjects(script.makes, entries, choice),
    leftOut,
    unknownEntries: unknown,
    oneDatabaseEntries: isOfOneDatabase(script) ? entriesOfOneDatabase(entries) : [],
  });
  if (choice.leaveOut === undefined) return found(await readScript(tools, begin, options, signal));
  const folder = await mkdtemp(join(tmpdir(), "dormouse-list-"));
  try {
    const used = usingList(await writeList(join(folder, "content"), lines));
    return found(await readScript(tools, begin, [...options, ...used], signal));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const LARGE_OBJECTS = /^BLOB METADATA (?:- )?([\d.]+) (.+)$/;

/** From 17 on these stand among the rows, which are not printed: many of one owner in one entry. */
function withLargeObjects(
  makes: ScriptMakes,
  entries: readonly string[],
  { owner: ofAll }: LoadChoice,
): ScriptMakes {
  if (ofAll !== undefined) return makes;
  const found = entries.flatMap((entry) => {
    const [, numbers, owner] = LARGE_OBJECTS.exec(entry) ?? [];
    return owner === undefined ? [] : [{ owner, what: `LARGE OBJECT ${numbers}` }];
  });
  const owned = [...Map.groupBy(found, ({ owner }) => owner).values()].flatMap((all): Owned[] => {
    const [first] = all;
    return first === undefined ? [] : [{ ...first, count: all.length }];
  });
  return { ...makes, owned: [...makes.owned, ...owned] };
}

function isOfOneDatabase({ needs }: Pick<ArchiveDemands, "needs">): boolean {
  return oneDatabaseOnly(needs.extensions).length > 0;
}

/** pg_restore leaves when it has read enough. */
async function readScript(
  tools: Pick<ClientTools, "binDir">,
  begin: Begin,
  options: readonly string[],
  signal: AbortSignal,
): Promise<PlainDump> {
  const script = plainDumpScanner();
  const restore = startReading(tools, options, PRINT_WITHIN_MS, signal);
  const fed = (async () => {
    for await (const chunk of begin()) if (!(await feed(restore.stdin, chunk))) break;
    restore.stdin.end();
  })();
  fed.catch(restore.stop);
  await restore.drain((piece) => script.push(piece));
  await fed;
  return script.end();
}
