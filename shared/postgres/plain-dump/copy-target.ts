import type { ReadsName } from "./dump-encoding.ts";
import { unquote, notedName } from "../sql-text.ts";

/** The table of a COPY, and its columns in the order of the values. */
export type CopyTarget = {
  readonly schema: string;
  readonly name: string;
  readonly columns: readonly string[];
};

const IDENTIFIER = '(?:"(?:[^"]|"")*"|[^\\s."(]+)';
const TABLE = `(?:(?<schema>${IDENTIFIER})\\.)?(?<name>${IDENTIFIER})`;
const COPY_FROM_STDIN = new RegExp(
  `^COPY\\s+${TABLE}\\s+(?:\\((?<columns>.*)\\))?.*\\bFROM\\s+stdin\\b[^"]*$`,
  "is",
);
/** Up to 10.2, pg_dump named no schemas: what follows is in the first of this path, before pg_catalog. */
const SEARCH_PATH = /^SET\s+search_path\s*(?:=|TO)\s*(?<schema>"(?:[^"]|"")*"|[^\s,'"]+)/i;
const COLUMN = /"(?:[^"]|"")*"|[^\s,"]+/g;
/** Its columns stand behind those of its parents when it is made anew, wherever they stood before. A partition is made by itself. */
const INHERITING = new RegExp(`^CREATE (?:UNLOGGED )?TABLE ${TABLE} \\(.*\\)\\s+INHERITS \\(`, "s");

export type CopyTargets = {
  statement(text: string): void;
  /** What the last statement fills. */
  take(): CopyTarget | undefined;
  /** Whether a statement made it as a child of other tables. */
  isInheriting(table: CopyTarget): boolean;
};

export function copyTargets(readName: ReadsName): CopyTargets {
  const read = (text: string) => notedName(unquote(text), readName(unquote(text)));
  const inheriting = new Set<string>();
  let searched = "";
  let target: CopyTarget | undefined;

  function tableOf(groups: Record<string, string | undefined>): CopyTarget {
    const { schema = searched, name = "", columns = "" } = groups;
    return {
      schema: read(schema),
      name: read(name),
      columns: (columns.match(COLUMN) ?? []).map(read),
    };
  }

  return {
    statement(text) {
      searched = SEARCH_PATH.exec(text)?.groups?.["schema"] ?? searched;
      const child = INHERITING.exec(text)?.groups;
      if (child !== undefined) inheriting.add(keyOf(tableOf(child)));
      const filled = COPY_FROM_STDIN.exec(text)?.groups;
      target = filled && tableOf(filled);
    },
    take() {
      const taken = target;
      target = undefined;
      return taken;
    },
    isInheriting: (table) => inheriting.has(keyOf(table)),
  };
}

function keyOf({ schema, name }: CopyTarget): string {
  return `${schema}\0${name}`;
}
