import type { ReadsName } from "./dump-encoding.ts";
import {
  gatherPrivileged,
  headOf,
  MAX_KNOWN,
  MAX_NAMES,
  NAME,
  wordsBy,
  type Words,
} from "./script-privileges.ts";
import { scriptCollations, type ScriptCollations } from "./script-collations.ts";

/** What a script makes that not every role may make, and how much of it there is. */
export type ScriptMakes = ScriptCollations & {
  /** Its owner to be, and where it lies: what lies in no schema but needs the right to create in the database has `null`. */
  readonly owned: readonly Owned[];
  /** The owners of the schemas that the script makes or gives away. */
  readonly schemas: Readonly<Record<string, string>>;
  /** What only a superuser may make: `EVENT TRIGGER watch`. */
  readonly ofSuperuser: readonly string[];
  /** What the server may refuse to make. */
  readonly doubtful: readonly string[];
  /** Settings that functions bring along, each with the first function. */
  readonly functionSettings: readonly { readonly name: string; readonly what: string }[];
  /** How many one transaction that makes all holds: of relations with what hangs on them, functions, types and the like. */
  readonly locks: number;
  readonly largeObjects: number;
};

export type Owned = {
  readonly owner: string;
  readonly schema?: string | null;
  /** The first of them, as `FUNCTION helpers.bloat()`. */
  readonly what: string;
  readonly count: number;
};

export const MAKES_NOTHING: ScriptMakes = {
  owned: [],
  schemas: {},
  ofSuperuser: [],
  doubtful: [],
  functionSettings: [],
  madeCollations: [],
  usedCollations: [],
  locks: 0,
  largeObjects: 0,
};

const MAX_STATEMENT_LENGTH = 1 << 16;
const QUOTED = /"(?:[^"]|"")*"/g;
const OWNER = new RegExp(String.raw`^ALTER\s+(.+)\s+OWNER\s+TO\s+(${NAME})$`, "is");
const DEFAULTS_FOR = new RegExp(String.raw`^ALTER\s+DEFAULT\s+PRIVILEGES\s+FOR\s+ROLE\s+(${NAME})`, "i");
const IN_SCHEMA = new RegExp(String.raw`^[A-Z ]+\s(${NAME})\.`);
const IN_NO_SCHEMA =
  /^(?:SCHEMA|SERVER|FOREIGN DATA WRAPPER|EVENT TRIGGER|LARGE OBJECT|(?:PROCEDURAL )?LANGUAGE)\s/;

/** A table has a TOAST table with an index; a function or a type is locked when it is given to its owner. */
const LOCKED: readonly (readonly [pattern: RegExp, locks: number])[] = [
  [/^CREATE (?:UNLOGGED )?TABLE\s/, 4],
  [/^CREATE MATERIALIZED VIEW\s/, 4],
  [/^CREATE VIEW\s/, 2],
  [/^CREATE (?:FOREIGN TABLE|SEQUENCE|STATISTICS|(?:UNIQUE )?INDEX)\s/, 1],
  [/^ALTER TABLE [^]*\s(?:PRIMARY KEY|UNIQUE|EXCLUDE|SEQUENCE NAME)\s/, 2],
  [/^ALTER (?!TABLE|LARGE OBJECT|SCHEMA)[A-Z]+\s[^]*\sOWNER TO\s/, 1],
];

/** Gathers what the statements of a script, as `scriptScanner` passes them, create. */
export function scriptMakes(readName: ReadsName): {
  literal(statement: string, piece: Uint8Array): void;
  statement(text: string): void;
  makes(): ScriptMakes;
} {
  const collations = scriptCollations(readName);
  const words = wordsBy(readName);
  const owners = gatherOwners(words);
  const privileged = gatherPrivileged(words);
  let locks = 0;
  return {
    literal: (statement, piece) => collations.literal(statement, piece),
    statement(text) {
      if (text.length > MAX_STATEMENT_LENGTH) return;
      collations.statement(text);
      const bare = headOf(text).replaceAll(QUOTED, '""');
      locks += LOCKED.find(([pattern]) => pattern.test(bare))?.[1] ?? 0;
      owners.statement(text);
      privileged.statement(text, bare);
    },
    makes: () => ({ ...owners.found(), ...privileged.found(), ...collations.collations(), locks }),
  };
}

function gatherOwners({ shorten, formatName }: Words) {
  const owned = new Map<string, Owned>();
  const schemas = new Map<string, string>();
  let largeObjects = 0;

  function own(owner: string, what: string, schema: string | null | undefined): void {
    const key = JSON.stringify([owner, schema]);
    const known = owned.get(key);
    if (known !== undefined) owned.set(key, { ...known, count: known.count + 1 });
    else if (owned.size < MAX_NAMES)
      owned.set(key, { owner, what, count: 1, ...(schema === undefined ? {} : { schema }) });
  }

  return {
    statement(text: string): void {
      const defaults = DEFAULTS_FOR.exec(text)?.[1];
      if (defaults !== undefined) own(formatName(defaults), "its default privileges", undefined);
      const [, what, name] = OWNER.exec(text) ?? [];
      if (what === undefined || name === undefined) return;
      if (what.startsWith("SCHEMA ") && schemas.size < MAX_KNOWN)
        schemas.set(formatName(what.slice("SCHEMA ".length)), formatName(name));
      if (what.startsWith("LARGE OBJECT ")) largeObjects++;
      own(formatName(name), shorten(what), schemaOf(what, formatName));
    },
    found: () => ({ owned: [...owned.values()], schemas: Object.fromEntries(schemas), largeObjects }),
  };
}

function schemaOf(what: string, formatName: (token: string) => string): string | null | undefined {
  if (what.startsWith("PUBLICATION ")) return null;
  if (IN_NO_SCHEMA.test(what)) return undefined;
  const schema = IN_SCHEMA.exec(what)?.[1];
  return schema === undefined ? undefined : formatName(schema);
}
