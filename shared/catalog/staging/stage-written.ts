import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import type { ArchiveDraft, ArchiveWriter, StagedArchive, WritingProcess } from "../catalog.ts";
import type { Digest } from "../digest.ts";
import { DormouseError, readCode } from "../../errors.ts";
import { toBytes } from "../volume/file-digest.ts";
import * as file from "../volume/files.ts";
import type { Files } from "../volume/files.ts";
import { canFollow, followFile, REFUSALS } from "./follow-file.ts";
import { piecesOf } from "../volume/open-regular.ts";
import { pieceHashes, pieceStart } from "./piece-hashes.ts";
import { changedBytes, stageFile } from "./stage-archive.ts";

type Written = { readonly files: Files; readonly path: string; readonly what: string };
/** Of each piece of the file, and where what changed after it had passed ends. */
type Expected = { readonly hashes: readonly Buffer[]; readonly changedUntil: number };

/**
 * Another process writes the file, is followed, and in the end writes the table of contents anew, with what it did not
 * know before. So the file is proved in pieces: behind the table of contents each is what has passed, in it each is what the
 * process left when it ended. `undefined` where a growing file cannot be followed.
 */
export async function stageWritten(
  files: Files,
  backupDir: string,
  draft: ArchiveDraft,
  { writer, signal }: { readonly writer: ArchiveWriter; readonly signal: AbortSignal },
): Promise<StagedArchive | undefined> {
  try {
    return await stageFile(files, backupDir, draft, async ({ path, what }) => {
      const expected = await write({ files, path, what }, writer, signal);
      return prove({ files, path, what }, { ...expected, signal });
    });
  } catch (error) {
    if (error === NOT_FOLLOWED) return undefined;
    throw error;
  }
}

const NOT_FOLLOWED = new Error("a growing file cannot be followed on this volume");

async function write(
  { files, path, what }: Written,
  writer: ArchiveWriter,
  signal: AbortSignal,
): Promise<Expected> {
  const handle = await openEmpty(files, path);
  try {
    if (!(await canFollow(handle))) throw NOT_FOLLOWED;
    const passed = pieceHashes();
    const passing = (writing: WritingProcess) => followFile(handle, writing, signal);
    for await (const chunk of writer.begin(handle.fd, passing)) passed.push(chunk);
    const expected = await withContents(handle, writer, passed.end());
    if (expected.changedUntil > 0 && !(await isContents(handle, expected.changedUntil, writer)))
      throw changedBytes(what);
    // A failed fsync is final: a second one may succeed without the bytes being there.
    await handle.sync();
    return expected;
  } finally {
    await handle.close();
  }
}

async function openEmpty(files: Files, path: string): Promise<FileHandle> {
  return files.open(path, "wx+", file.FILE_MODE).catch((error: unknown) => {
    throw REFUSALS.has(readCode(error)) ? NOT_FOLLOWED : error;
  });
}

/** What has passed, but for the table of contents, which is taken as its writer has left it. */
async function withContents(
  handle: FileHandle,
  writer: ArchiveWriter,
  passed: readonly Buffer[],
): Promise<Expected> {
  const left = pieceHashes();
  let read = 0;
  async function* reported() {
    for await (const chunk of toBytes(handle)) {
      left.push(chunk);
      read += chunk.length;
      yield chunk;
    }
  }
  await writer.checkContents(reported());
  const isWhole = read === (await handle.stat()).size;
  const hashes = passed.map((hash, piece) => (isWhole ? left.end() : left.complete())[piece] ?? hash);
  const changed = hashes.findLastIndex((hash, piece) => passed[piece]?.equals(hash) === false);
  return { hashes, changedUntil: changed === -1 ? 0 : pieceStart(changed) };
}

/** The last piece that changed begins at `byte`: without it the table of contents is not whole, or it is none of it. */
async function isContents(handle: FileHandle, byte: number, writer: ArchiveWriter): Promise<boolean> {
  async function* before() {
    let left = byte;
    for await (const chunk of toBytes(handle)) {
      if (left <= 0) return;
      yield chunk.subarray(0, left);
      left -= chunk.length;
    }
  }
  return writer.checkContents(before()).then(
    () => false,
    (error: unknown) => {
      if (error instanceof DormouseError && error.code === "archive_damaged") return true;
      throw error;
    },
  );
}

async function prove(
  { files, path, what }: Written,
  { hashes, signal }: Expected & { readonly signal: AbortSignal },
): Promise<Digest> {
  const hash = createHash("sha256");
  const pieces = pieceHashes();
  let sizeBytes = 0;
  for await (const chunk of piecesOf(await files.open(path, "r"), 0)) {
    signal.throwIfAborted();
    hash.update(chunk);
    pieces.push(chunk);
    sizeBytes += chunk.length;
  }
  const found = pieces.end();
  const isSame = found.length === hashes.length && found.every((each, at) => hashes[at]?.equals(each));
  if (!isSame) throw changedBytes(what);
  return { sizeBytes, sha256: hash.digest("hex") };
}
