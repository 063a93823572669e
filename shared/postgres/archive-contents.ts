import { feed } from "./process/pipes.ts";
import { startReading } from "./read-archive.ts";
import type { ClientTools } from "./client-tools.ts";

/** Of a pg_restore that prints no rows. */
export const PRINT_WITHIN_MS = 300_000;

type Tools = Pick<ClientTools, "binDir">;

/** What `pg_restore --list` prints of an archive that lies there. Throws `archive_damaged`. */
export async function listContents(
  tools: Tools,
  archive: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<string> {
  const list = startList(tools, signal);
  try {
    for await (const chunk of archive) if (!(await list.take(chunk))) break;
  } catch (error) {
    list.stop(error);
    throw error;
  }
  return list.end();
}

/** The same of an archive that passes by: it is passed on unchanged. */
export function listAlong(
  tools: Tools,
  archive: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): { readonly archive: AsyncIterable<Uint8Array>; readonly listed: Promise<string> } {
  const list = startList(tools, signal);
  const listed = Promise.withResolvers<string>();
  // Who takes the list gets it; until then it must not end the process.
  listed.promise.catch(() => undefined);
  async function* passing(): AsyncGenerator<Uint8Array> {
    for await (const chunk of archive) {
      await list.take(chunk);
      yield chunk;
    }
    listed.resolve(list.end());
  }
  return { archive: passing(), listed: listed.promise };
}

function startList(tools: Tools, signal: AbortSignal) {
  const restore = startReading(tools, ["--list"], PRINT_WITHIN_MS, signal);
  const printed: Uint8Array[] = [];
  const ended = restore.drain((piece) => void printed.push(Uint8Array.from(piece)));
  ended.catch(() => undefined);
  let isReading = true;
  return {
    stop: restore.stop,
    /** Answers whether it wants more: it leaves when it has read the table of contents, which is at the beginning. */
    async take(chunk: Uint8Array): Promise<boolean> {
      if (isReading) isReading = await feed(restore.stdin, chunk);
      return isReading;
    },
    async end(): Promise<string> {
      restore.stdin.end();
      await ended;
      // Bytes stay bytes: names are in whatever encoding the archive has.
      return Buffer.concat(printed).toString("latin1");
    },
  };
}
