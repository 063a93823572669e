import { copyRows, type CopyRows } from "./copy-rows.ts";
import { dumpEncoding, type ReadsName } from "./dump-encoding.ts";
import { scriptMakes, type ScriptMakes } from "./script-makes.ts";
import { scriptNeeds, type ArchiveNeeds } from "./script-needs.ts";
import { formatName } from "../sql-text.ts";
import { scriptScanner, type ScriptListener } from "./sql-script.ts";

export type TableRows = { readonly schema: string; readonly name: string; readonly rows: number };

export function totalRows(tables: readonly Pick<TableRows, "rows">[]): number {
  return tables.reduce((sum, { rows }) => sum + rows, 0);
}

/** What a plain SQL dump holds, found without a server. */
export type PlainDump = {
  /** In the order of the dump; each partition is a table of its own. */
  readonly tables: readonly TableRows[];
  readonly largeObjects: number;
  readonly plainBytes: number;
  /**
   * Whether the dump ends as pg_dump ends one: with its closing comment, behind it nothing but the `\unrestrict` of
   * the key that its `\restrict` named. psql takes the end of a file as the end of its COPY data, so nothing else
   * tells a whole dump from one cut short.
   */
  readonly isComplete: boolean;
  /** Backslash commands other than those two: psql would run them. The first twenty. */
  readonly metaCommands: readonly string[];
  /** Roles, extensions and tablespaces that its statements name, and do not make themselves. */
  readonly needs: ArchiveNeeds;
  /** What not every role may make. */
  readonly makes: ScriptMakes;
};

type CopyTarget = Omit<TableRows, "rows">;

const TRAILER = "PostgreSQL database dump complete";
const IDENTIFIER = '(?:"(?:[^"]|"")*"|[^\\s."(]+)';
const COPY_FROM_STDIN = new RegExp(
  `^COPY\\s+(?:(?<schema>${IDENTIFIER})\\.)?(?<name>${IDENTIFIER})\\s.*\\bFROM\\s+stdin\\b[^"]*$`,
  "is",
);
/** Up to 10.2, pg_dump named no schemas: what follows is in the first of this path, before pg_catalog. */
const SEARCH_PATH = /^SET\s+search_path\s*(?:=|TO)\s*(?<schema>"(?:[^"]|"")*"|[^\s,'"]+)/i;
const OPEN_LARGE_OBJECT = /^SELECT\s+(?:pg_catalog\.)?lo_open\(/i;
const MAX_META_COMMANDS = 20;

/** Reads a plain dump as a stream, in bounded memory: `push` each chunk, then `end` once. */
export function plainDumpScanner(): { push(chunk: Uint8Array): void; end(): PlainDump } {
  const tables: TableRows[] = [];
  const encoding = dumpEncoding();
  const notes = dumpSummary(encoding.readName);
  const script = scriptScanner({ ...notes, lineEnd: () => startCopy() });
  let copying: { readonly table: CopyTarget; readonly rows: CopyRows } | undefined;
  let plainBytes = 0;

  function startCopy(): boolean {
    const table = notes.takeCopyTarget();
    copying = table && { table, rows: copyRows() };
    return copying !== undefined;
  }

  function readChunk(chunk: Uint8Array, from: number): number {
    if (copying === undefined) return script.scan(chunk, from);
    const { table, rows } = copying;
    const at = rows.read(chunk, from);
    if (rows.isAtEnd()) {
      tables.push({ ...table, rows: rows.count() });
      copying = undefined;
    }
    return at;
  }

  return {
    push(chunk) {
      plainBytes += chunk.length;
      encoding.push(chunk);
      for (let at = 0; at < chunk.length;) at = readChunk(chunk, at);
    },
    end() {
      const isComplete = copying === undefined && script.isAtRest() && notes.hasTrailer();
      return { ...notes.found(), tables, plainBytes, isComplete };
    },
  };
}

/** What there is to remember of a script besides its rows. */
function dumpSummary(readName: ReadsName) {
  const metaCommands: string[] = [];
  const keys = new Map<string, string>();
  const needs = scriptNeeds(readName);
  const makes = scriptMakes(readName);
  let largeObjects = 0;
  let hasTrailer = false;
  let schema = "";
  let target: CopyTarget | undefined;

  const listener: Omit<ScriptListener, "lineEnd"> = {
    statement(text) {
      hasTrailer = false;
      schema = SEARCH_PATH.exec(text)?.groups?.["schema"] ?? schema;
      target = copyTarget(text, schema, readName);
      if (OPEN_LARGE_OBJECT.test(text)) largeObjects++;
      needs.statement(text);
      makes.statement(text);
    },
    comment(text) {
      if (text === TRAILER) hasTrailer = true;
    },
    metaCommand(text) {
      const [command = "", key = "", ...rest] = text.split(/\s+/);
      const isOurs = (command === "restrict" || command === "unrestrict") && /^\w+$/.test(key);
      if (isOurs && rest.length === 0) keys.set(command, key);
      else if (metaCommands.length < MAX_META_COMMANDS) metaCommands.push(`\\${text}`);
    },
  };
  return {
    ...listener,
    found: () => ({ metaCommands, largeObjects, needs: needs.needs(), makes: makes.makes() }),
    hasTrailer: () => hasTrailer && keys.get("restrict") === keys.get("unrestrict"),
    takeCopyTarget() {
      const taken = target;
      target = undefined;
      return taken;
    },
  };
}

function copyTarget(statement: string, searched: string, readName: ReadsName): CopyTarget | undefined {
  const { schema = searched, name } = COPY_FROM_STDIN.exec(statement)?.groups ?? {};
  if (name === undefined) return undefined;
  const [inSchema, table] = [schema, name].map(formatName).map((bytes) => readName(bytes) ?? bytes);
  return table === undefined ? undefined : { schema: inSchema ?? "", name: table };
}
