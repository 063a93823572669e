import { DormouseError } from "../errors.ts";

/** Which databases of a server an installation is for: `POSTGRESQL_DATABASE`, or what `POSTGRESQL_DATABASES` lists. */
export type DatabaseChoice = {
  /** The one of `POSTGRESQL_DATABASE`. */
  readonly only?: string | undefined;
  /** Named letter for letter: backed up whether the server has them or not, so that a missing one is reported. */
  readonly named: readonly string[];
  /** Whether a database is one of them; patterns say so of any name. */
  readonly includes: (database: string) => boolean;
};

type Chosen = {
  readonly POSTGRESQL_DATABASE?: string | undefined;
  readonly POSTGRESQL_DATABASES?: readonly string[] | undefined;
};

export function databaseChoice({ POSTGRESQL_DATABASE: only, POSTGRESQL_DATABASES }: Chosen): DatabaseChoice {
  if (only !== undefined) return { only, named: [only], includes: (database) => database === only };
  const all = (POSTGRESQL_DATABASES ?? []).map(parsePattern);
  const [wanted, left] = [
    all.filter(({ leavesOut }) => !leavesOut),
    all.filter(({ leavesOut }) => leavesOut),
  ];
  const includes = (database: string) =>
    wanted.some((pattern) => matches(pattern, database)) &&
    !left.some((pattern) => matches(pattern, database));
  const literal = wanted.flatMap(({ parts }) => (parts.every(isText) ? [parts.join("")] : []));
  return { named: [...new Set(literal)].filter(includes), includes };
}

/** Throws `request_invalid` for a database that is not one of them. */
export function refuseOthers({ includes }: DatabaseChoice, database: string): void {
  if (!includes(database)) throw noDatabaseOfThis(database);
}

export function noDatabaseOfThis(database: string): DormouseError {
  const message = `${JSON.stringify(database)} is no database of this installation`;
  return new DormouseError("request_invalid", message, {
    hint: "POSTGRESQL_DATABASE or POSTGRESQL_DATABASES says which are",
  });
}

/**
 * Names and patterns as they are given: separated by commas, or a JSON array where a name has a comma or a space at its
 * end. `undefined` for what is neither, or names no database at all.
 */
export function splitPatterns(text: string): readonly string[] | undefined {
  const list = text.trimStart().startsWith("[")
    ? parseList(text)
    : text.split(",").map((each) => each.trim());
  if (list === undefined || !list.every(isPattern)) return undefined;
  return list.some((each) => !each.startsWith("!")) ? list : undefined;
}

function parseList(text: string): readonly string[] | undefined {
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) && list.every((each) => typeof each === "string") ? list : undefined;
  } catch {
    return undefined;
  }
}

const MAX_NAME_BYTES = 63;

/** A name must be one that PostgreSQL has: longer ones it cuts off. */
function isPattern(text: string): boolean {
  const { parts } = parsePattern(text);
  if (parts.length === 0 || parts.includes("\0")) return false;
  return !parts.every(isText) || Buffer.byteLength(parts.join("")) <= MAX_NAME_BYTES;
}

const ANY = Symbol("*");
const ONE = Symbol("?");

type Part = string | typeof ANY | typeof ONE;
type Pattern = { readonly leavesOut: boolean; readonly parts: readonly Part[] };

function isText(part: Part): part is string {
  return typeof part === "string";
}

/** As in a shell: `*` is any text, `?` one character, and a backslash takes the meaning from what follows. */
function parsePattern(text: string): Pattern {
  const leavesOut = text.startsWith("!");
  const parts: Part[] = [];
  const characters = Array.from(leavesOut ? text.slice(1) : text).values();
  for (const character of characters) {
    if (character === "*") parts.push(ANY);
    else if (character === "?") parts.push(ONE);
    else parts.push(character === "\\" ? (characters.next().value ?? character) : character);
  }
  return { leavesOut, parts };
}

/** In time that grows with the two lengths alone: an expression with many stars would not. */
function matches({ parts }: Pattern, name: string): boolean {
  const text = Array.from(name);
  let [at, star, resumeAt] = [0, -1, 0];
  for (let read = 0; read < text.length;) {
    const part = parts[at];
    if (part === ANY) [star, resumeAt, at] = [at, read, at + 1];
    else if (part === ONE || part === text[read]) [at, read] = [at + 1, read + 1];
    else if (star === -1) return false;
    else [at, resumeAt, read] = [star + 1, resumeAt + 1, resumeAt + 1];
  }
  return parts.slice(at).every((part) => part === ANY);
}
