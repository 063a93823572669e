import { dirname, join } from "node:path";
import {
  clearUp,
  removeIfThere,
  syncFolder,
  temporaryName,
  volumeError,
  writeNew,
  type Files,
} from "./files.ts";

type Writing = {
  /** Whose temporary name it bears meanwhile, and how that ends. */
  readonly writer: string;
  readonly end?: string | undefined;
  /** Like `record of run cull-1`. */
  readonly what: string;
  /** Gives it its name, unless that is taken. */
  readonly move: (temporary: string) => Promise<boolean>;
};

/**
 * Writes a small file beside `path`, syncs it, and gives it that name, unless `move` answers false: a crash leaves what
 * was there, or all of it.
 */
export async function writeDurably(
  files: Files,
  path: string,
  text: string,
  { writer, end, what, move }: Writing,
): Promise<boolean> {
  const folder = dirname(path);
  const temporary = join(folder, temporaryName(writer, end));
  try {
    await writeNew(files, temporary, text);
    const isMoved = await move(temporary);
    if (!isMoved) await removeIfThere(files, temporary);
    await syncFolder(files, folder);
    return isMoved;
  } catch (error) {
    await clearUp(() => removeIfThere(files, temporary));
    throw volumeError(error, what);
  }
}

/** The same in the place of what has that name. */
export async function replaceFile(
  files: Files,
  path: string,
  text: string,
  writing: Omit<Writing, "move" | "end">,
): Promise<void> {
  await writeDurably(files, path, text, {
    ...writing,
    async move(temporary) {
      await files.rename(temporary, path);
      return true;
    },
  });
}
