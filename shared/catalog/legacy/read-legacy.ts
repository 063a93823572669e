import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import type { LegacyContents, LegacyFile } from "../catalog.ts";
import { plainDumpScanner } from "../../postgres/plain-dump/plain-dump.ts";
import { DormouseError, readCode } from "../../errors.ts";
import { hashing } from "../digest.ts";
import { STORAGE } from "../volume/volume-calls.ts";
import type { ArchiveFormat } from "../../postgres/archive-format.ts";

type LegacyReading = { readonly contents: LegacyContents } | { readonly damage: string };

type Chunks = AsyncIterable<Uint8Array>;

class Bomb extends Error {}

export const READ_BYTES = 1 << 18;
/** A dump of ours shrinks to a tenth, one of nothing but zeros to a thousandth. */
const MAX_EXPANSION = 200;
const BOMB_FLOOR_BYTES = 64 << 20;
/** Where the versions stand: the comments before the first statement. */
const HEAD_BYTES = 4_096;

/** Prints an archive of format `custom` as the script that would load it. Throws `archive_damaged`. */
export type PrintArchive = (archive: Chunks, signal: AbortSignal) => Chunks;

/**
 * Reads all of a dump in bounded memory, as the script that it is or that `print` makes of it. A fault of the file is an
 * answer, one of the disk throws.
 */
export async function readLegacy(
  source: Chunks,
  { format, sizeBytes }: Pick<LegacyFile, "sizeBytes"> & { readonly format: ArchiveFormat },
  { signal, print }: { readonly signal: AbortSignal; readonly print?: PrintArchive | undefined },
): Promise<LegacyReading> {
  const file = hashing(source);
  const script = scanning(Math.max(BOMB_FLOOR_BYTES, sizeBytes * MAX_EXPANSION));
  try {
    const { bytes } = file;
    if (format === "gzip-sql")
      await pipeline(bytes, createGunzip({ chunkSize: READ_BYTES }), (plain: Chunks) => script.read(plain), {
        signal,
      });
    else await script.read(format === "custom" ? printed(bytes, print, signal) : bytes);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Bomb) return { damage: error.message };
    if (error instanceof DormouseError && error.code === "archive_damaged") return { damage: error.message };
    // Z_DATA_ERROR, Z_BUF_ERROR ("unexpected end of file") and their kind.
    if (readCode(error).startsWith("Z_"))
      return { damage: `is no whole gzip file: ${(error as Error).message}` };
    throw unreadable(error);
  }
  const { dump, versions } = script.end();
  if (!dump.isComplete) return { damage: "does not end as pg_dump ends a dump: it was cut short" };
  return { contents: { ...file.digest(), dump, versions } };
}

function printed(archive: Chunks, print: PrintArchive | undefined, signal: AbortSignal): Chunks {
  if (print !== undefined) return print(archive, signal);
  throw new DormouseError("internal", "an archive of format custom is not read here");
}

function scanning(limitBytes: number) {
  const scanner = plainDumpScanner();
  let head = "";
  let plainBytes = 0;
  return {
    async read(source: Chunks): Promise<void> {
      for await (const chunk of source) {
        if (head.length < HEAD_BYTES) head += Buffer.from(chunk).toString("latin1", 0, HEAD_BYTES);
        plainBytes += chunk.length;
        if (plainBytes > limitBytes) throw new Bomb(`grows beyond ${MAX_EXPANSION} times its size`);
        scanner.push(chunk);
      }
    },
    end: () => ({ dump: scanner.end(), versions: versionsIn(head) }),
  };
}

function versionsIn(head: string): LegacyContents["versions"] {
  const server = /^-- Dumped from database version (\S+)/m.exec(head)?.[1] ?? "unknown";
  const pgDump = /^-- Dumped by pg_dump version (\S+)/m.exec(head)?.[1] ?? "unknown";
  return { server, pgDump };
}

function unreadable(error: unknown): DormouseError {
  if (error instanceof DormouseError) return error;
  return new DormouseError("catalog_unreadable", `a legacy file cannot be read: ${String(error)}`, {
    hint: STORAGE,
    cause: error,
  });
}
