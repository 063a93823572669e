import { join } from "node:path";
import * as z from "zod";
import { readWhole } from "./open-regular.ts";
import * as promises from "./volume-calls.ts";
import { replaceFile } from "./write-durably.ts";

const envelope = z.object({ formatVersion: z.literal(1) });

/**
 * Notes of operators, each in a file of its own below `.dormouse`: two that are written at once do not meet. What cannot be
 * read says nothing.
 */
export function noteFiles<Note extends object>(backupDir: string, kind: string, schema: z.ZodType<Note>) {
  const folder = join(backupDir, ".dormouse");

  async function read(file: string): Promise<readonly Note[]> {
    try {
      const note: unknown = JSON.parse((await readWhole(promises, join(folder, file))) ?? "");
      envelope.parse(note);
      return [schema.parse(note)];
    } catch {
      return [];
    }
  }

  return {
    async known(): Promise<readonly Note[]> {
      const files = await promises.readdir(folder).catch(() => []);
      const notes = files.filter((file) => file.startsWith(`${kind}-`)).map(read);
      return (await Promise.all(notes)).flat();
    },
    async write(name: string, note: Note): Promise<void> {
      const file = `${kind}-${name}.json`;
      const text = `${JSON.stringify({ formatVersion: 1, ...note }, null, 2)}\n`;
      await replaceFile(promises, join(folder, file), text, { writer: kind, what: `.dormouse/${file}` });
    },
  };
}
