import { copyRows, type RowsHash } from "./copy-rows.ts";
import { dumpEncoding, type ReadsName } from "./dump-encoding.ts";
import { scriptMakes, type ScriptMakes } from "./script-makes.ts";
import { copyTargets, type CopyTarget, type CopyTargets } from "./copy-target.ts";
import { orderOf, rowsInOrder } from "./rows-in-order.ts";
import { scriptNeeds, type ArchiveNeeds } from "./script-needs.ts";
import { scriptValues, type ScriptValues } from "./script-values.ts";
import { scriptScanner, type ScriptListener } from "./sql-script.ts";

export type TableRows = { readonly schema: string; readonly name: string; readonly rows: number };

export function totalRows(tables: readonly Pick<TableRows, "rows">[]): number {
  return tables.reduce((sum, { rows }) => sum + rows, 0);
}

/** No name holds NUL. */
export function tableKey({ schema, name }: Pick<TableRows, "schema" | "name">): string {
  return `${schema}\0${name}`;
}

type TableValues = TableRows & {
  readonly hash: RowsHash;
  /** Of a table that inherits, whose columns stand in another order when it is made anew: theirs in the hash. */
  readonly columns?: readonly string[] | undefined;
};

/** What a plain SQL dump holds, found without a server. */
export type PlainDump = ScriptValues & {
  /** In the order of the dump; each partition is a table of its own. */
  readonly tables: readonly TableValues[];
  readonly largeObjects: number;
  readonly plainBytes: number;
  /** Where the dump of the database ends, if that of the server's roles follows it, as in a file of backup-container. */
  readonly rolesFrom?: number | undefined;
  /**
   * Whether the dump ends as pg_dump ends one: with its closing comment, behind it nothing but the `\unrestrict` of
   * the key that its `\restrict` named, or all that pg_dumpall writes of the roles. psql takes the end of a file as the end
   * of its COPY data, so nothing else distinguishes a whole dump from one cut short.
   */
  readonly isComplete: boolean;
  /** Backslash commands other than those two: psql would run them. The first twenty. */
  readonly metaCommands: readonly string[];
  /** Roles, extensions and tablespaces that its statements name, and do not make themselves. */
  readonly needs: ArchiveNeeds;
  /** What not every role may make. */
  readonly makes: ScriptMakes;
};

/** As pg_dump ends the dump of a database, and as pg_dumpall begins and ends that of a server's roles. */
const DATABASE_END = "PostgreSQL database dump complete";
const ROLES_BEGIN = "PostgreSQL database cluster dump";
const ROLES_END = "PostgreSQL database cluster dump complete";
const OPEN_LARGE_OBJECT = /^SELECT\s+(?:pg_catalog\.)?lo_open\(/i;
const MAX_META_COMMANDS = 20;

/** Of a dump whose values are compared with none. */
export type CountedDump = Omit<PlainDump, keyof ScriptValues | "tables"> & {
  readonly tables: readonly TableRows[];
};

/** The order of the columns in which the rows of a table are to be hashed, where it is not the dump's own. */
export type ColumnsOf = (table: Pick<TableRows, "schema" | "name">) => readonly string[] | undefined;

/** Reads a plain dump as a stream, in bounded memory: `push` each chunk, then `end` once. */
export function plainDumpScanner(columnsOf: ColumnsOf = () => undefined): {
  push(chunk: Uint8Array): void;
  end(): PlainDump;
} {
  const encoding = dumpEncoding();
  const targets = copyTargets(encoding.readName);
  const notes = dumpSummary(encoding.readName, targets);
  const data = copyData(targets, columnsOf);
  const script = scriptScanner({ ...notes, lineEnd: () => data.start() });
  let plainBytes = 0;

  return {
    push(chunk) {
      notes.beginAt(plainBytes);
      plainBytes += chunk.length;
      encoding.push(chunk);
      for (let at = 0; at < chunk.length;) at = data.isOpen() ? data.read(chunk, at) : script.scan(chunk, at);
    },
    end() {
      const isComplete = !data.isOpen() && script.isAtRest() && notes.isWhole();
      return { ...notes.found(), tables: data.tables, plainBytes, isComplete };
    },
  };
}

/** The rows of one COPY after the other. */
function copyData(targets: CopyTargets, columnsOf: ColumnsOf) {
  const tables: TableValues[] = [];
  const inDumpsOrder = copyRows();
  let rows = inDumpsOrder;
  let copying: CopyTarget | undefined;
  return {
    tables,
    isOpen: () => copying !== undefined,
    start(): boolean {
      copying = targets.take();
      if (copying === undefined) return false;
      const order = orderOf(columnsOf(copying) ?? copying.columns, copying.columns);
      rows = order === undefined ? inDumpsOrder : rowsInOrder(inDumpsOrder, order);
      rows.begin();
      return true;
    },
    read(chunk: Uint8Array, from: number): number {
      const at = rows.read(chunk, from);
      if (copying === undefined || !rows.isAtEnd()) return at;
      const { schema, name, columns } = copying;
      const kept = targets.isInheriting(copying) ? { columns } : {};
      tables.push({ schema, name, rows: rows.count(), hash: rows.hash(), ...kept });
      copying = undefined;
      return at;
    },
  };
}

/** What there is to remember of a script besides its rows. */
function dumpSummary(readName: ReadsName, targets: CopyTargets) {
  const needs = scriptNeeds(readName);
  const makes = scriptMakes(readName);
  const values = scriptValues();
  const commands = psqlCommands();
  const parts = dumpParts();
  let largeObjects = 0;
  let chunkAt = 0;

  const listener: Omit<ScriptListener, "lineEnd"> = {
    statement(text) {
      parts.statement();
      if (parts.isOfRoles()) return;
      if (OPEN_LARGE_OBJECT.test(text)) largeObjects++;
      for (const each of [targets, needs, makes, values]) each.statement(text);
    },
    literal(statement, piece) {
      if (!parts.isOfRoles()) for (const each of [makes, values]) each.literal(statement, piece);
    },
    comment: (text, end) => parts.comment(text, chunkAt + end),
    metaCommand(text, end) {
      parts.metaCommand(chunkAt + end);
      // What is not loaded is not run.
      if (!parts.isOfRoles()) commands.add(text);
    },
  };
  return {
    ...listener,
    found: () => ({
      ...values.values(),
      metaCommands: commands.others,
      largeObjects,
      rolesFrom: parts.rolesFrom(),
      needs: needs.needs(),
      makes: makes.makes(),
    }),
    /** Where in the dump the bytes begin that are scanned next. */
    beginAt(bytes: number): void {
      chunkAt = bytes;
    },
    isWhole: () => parts.areWhole() && commands.isUnrestricted(),
  };
}

/**
 * Which part of a file a scanner is at: the dump of a database, and behind its end perhaps one of roles, as
 * backup-container appends it. Nothing of the second is loaded.
 */
function dumpParts() {
  let at: "database" | "end" | "roles" | "roles_end" = "database";
  let endsAt = 0;
  let rolesFrom: number | undefined;
  return {
    statement(): void {
      if (at === "end") at = "database";
      // Something else follows, of which nothing is known.
      if (at === "roles_end") at = "roles";
    },
    comment(text: string, end: number): void {
      const isEnded = at === "end";
      if (isEnded && text === ROLES_BEGIN) [at, rolesFrom] = ["roles", endsAt];
      else if ((isEnded || at === "database") && text === DATABASE_END) [at, endsAt] = ["end", end + 1];
      else if (at === "roles" && text === ROLES_END) at = "roles_end";
    },
    /** `\unrestrict` belongs to what it ends. */
    metaCommand(end: number): void {
      if (at === "end") endsAt = end + 1;
    },
    isOfRoles: () => rolesFrom !== undefined,
    rolesFrom: () => rolesFrom,
    areWhole: () => at === "end" || at === "roles_end",
  };
}

function psqlCommands() {
  const others: string[] = [];
  const keys = new Map<string, string>();
  return {
    others,
    add(text: string): void {
      const [command = "", key = "", ...rest] = text.split(/\s+/);
      const isOurs = (command === "restrict" || command === "unrestrict") && /^\w+$/.test(key);
      if (isOurs && rest.length === 0) keys.set(command, key);
      else if (others.length < MAX_META_COMMANDS) others.push(`\\${text}`);
    },
    isUnrestricted: () => keys.get("restrict") === keys.get("unrestrict"),
  };
}

/** What an archive makes and needs. */
export type ArchiveDemands = Pick<PlainDump, "needs" | "makes"> & {
  /** The entries to be left out, whole, and those of them that it does not have as they were given. */
  readonly leftOut: readonly string[];
  readonly unknownEntries: readonly string[];
  /** Those of extensions that can be in one database only. */
  readonly oneDatabaseEntries: readonly string[];
};
