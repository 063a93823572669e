import type { ReadsName } from "./dump-encoding.ts";
import { unquote } from "../sql-text.ts";
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

/** A plan lists no more. */
const MAX_NAMES = 1_000;
const MAX_STATEMENT_LENGTH = 1 << 16;
const QUOTED = /"(?:[^"]|"")*"/g;
const NAME = String.raw`(?:"(?:[^"]|"")*"|[^\s"().,;]+)`;
const OWNER = new RegExp(String.raw`^ALTER\s+(.+)\s+OWNER\s+TO\s+(${NAME})$`, "is");
const DEFAULTS_FOR = new RegExp(String.raw`^ALTER\s+DEFAULT\s+PRIVILEGES\s+FOR\s+ROLE\s+(${NAME})`, "i");
const IN_SCHEMA = new RegExp(String.raw`^[A-Z ]+\s(${NAME})\.`);
const IN_NO_SCHEMA =
  /^(?:SCHEMA|SERVER|FOREIGN DATA WRAPPER|EVENT TRIGGER|LARGE OBJECT|(?:PROCEDURAL )?LANGUAGE)\s/;
const CAST = /^CREATE CAST \((.+?) AS (.+?)\) WITH/i;
const FUNCTION_SETTING = new RegExp(String.raw`\n\s+SET (${NAME}(?:\.${NAME})?) TO `, "g");
const MADE = new RegExp(
  String.raw`^CREATE (?:TYPE|DOMAIN|(?:UNLOGGED |FOREIGN )?TABLE|(?:MATERIALIZED )?VIEW|FUNCTION|PROCEDURE|AGGREGATE) (${NAME}\.${NAME})`,
  "i",
);
/** Not of sequences: those of identity columns are made with their table. */
const GRANTED = new RegExp(
  `^(?:GRANT|REVOKE) [^]*? ON ((?:FUNCTION|PROCEDURE|TABLE|TYPE) (${NAME}\\.${NAME}))`,
);

/**
 * What the manual gives to superusers alone, by how pg_dump writes it; quoted names are blanked out. A shell type is the
 * beginning of a base type; a language without a handler is an extension.
 */
const OF_SUPERUSER: readonly RegExp[] = [
  /^CREATE (EVENT TRIGGER)/,
  /^CREATE (PUBLICATION) \S+ FOR ALL TABLES/,
  /^ALTER (PUBLICATION) \S+ ADD TABLES IN SCHEMA/,
  /^CREATE (FOREIGN DATA WRAPPER)/,
  /^CREATE (?:OR REPLACE )?(?:TRUSTED )?(?:PROCEDURAL )?(LANGUAGE) \S+ HANDLER/,
  /^CREATE (FUNCTION|PROCEDURE) [^]*\n {4}LANGUAGE (?:c|internal)\b/,
  /^CREATE (FUNCTION|PROCEDURE) [^]*\n {4}LANGUAGE [^\n]*\s(?:LEAKPROOF|SUPPORT \S+)/,
  /^CREATE (OPERATOR (?:CLASS|FAMILY))/,
  /^CREATE (ACCESS METHOD)/,
  /^CREATE (TEXT SEARCH (?:PARSER|TEMPLATE))/,
  /^CREATE (TYPE) [^\s(]+\s*(?:\(|$)/,
  /^CREATE (AGGREGATE) [^]*?\sM?STYPE = internal\b/,
  // It is there in each new database, and the bootstrap superuser's. pg_dump of before 10 has a comment on it.
  /^COMMENT ON (EXTENSION) plpgsql\b/,
];

/**
 * What the server may refuse or only warn of, by what there is: a role that may grant some of it is warned, the owner of the types of
 * a cast by an array or a range may make it, and a language without a handler is the extension of that name.
 */
const DOUBTFUL: readonly RegExp[] = [
  /^CREATE (?:OR REPLACE )?(?:TRUSTED )?(?:PROCEDURAL )?(LANGUAGE) (?!plpgsql\b)[^\s;]+;?$/,
  /^CREATE (TRANSFORM FOR)/,
  /^SET (SESSION AUTHORIZATION) (?!DEFAULT)/,
  /^(?:GRANT|REVOKE) [^]*? ON (LANGUAGE|SCHEMA pg_catalog)\b/,
];

/** A table has a TOAST table with an index; a function or a type is locked when it is given to its owner. */
const LOCKED: readonly (readonly [pattern: RegExp, locks: number])[] = [
  [/^CREATE (?:UNLOGGED )?TABLE\s/, 4],
  [/^CREATE MATERIALIZED VIEW\s/, 4],
  [/^CREATE VIEW\s/, 2],
  [/^CREATE (?:FOREIGN TABLE|SEQUENCE|STATISTICS|(?:UNIQUE )?INDEX)\s/, 1],
  [/^ALTER TABLE [^]*\s(?:PRIMARY KEY|UNIQUE|EXCLUDE|SEQUENCE NAME)\s/, 2],
  [/^ALTER (?!TABLE|LARGE OBJECT|SCHEMA)[A-Z]+\s[^]*\sOWNER TO\s/, 1],
];
/** Behind it stands what a function does, which may read like anything. */
const FUNCTION_BODY = /\n {4}(?:AS |BEGIN ATOMIC|RETURN )/;

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

type Words = ReturnType<typeof wordsBy>;

function wordsBy(readName: ReadsName) {
  return {
    shorten: (text: string) => readName(text.replaceAll(/\s+/g, " ").slice(0, 200)) ?? text.slice(0, 200),
    formatName: (token: string) => readName(unquote(token)) ?? unquote(token),
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
      if (what.startsWith("SCHEMA ")) schemas.set(formatName(what.slice("SCHEMA ".length)), formatName(name));
      if (what.startsWith("LARGE OBJECT ")) largeObjects++;
      own(formatName(name), shorten(what), schemaOf(what, formatName));
    },
    found: () => ({ owned: [...owned.values()], schemas: Object.fromEntries(schemas), largeObjects }),
  };
}

function gatherPrivileged({ shorten, formatName }: Words) {
  const ofSuperuser = new Set<string>();
  const doubtful = new Set<string>();
  const settings = new Map<string, string>();
  const made = new Set<string>();
  const casts: (readonly string[])[] = [];
  const note = (found: Set<string>, what: string | undefined) => {
    if (what !== undefined && found.size < MAX_NAMES) found.add(shorten(what));
  };
  return {
    statement(text: string, bare: string): void {
      for (const [patterns, found] of [
        [OF_SUPERUSER, ofSuperuser],
        [DOUBTFUL, doubtful],
      ] as const) {
        const kind = kindIn(bare, patterns);
        if (kind !== undefined) note(found, objectOf(text, kind));
      }
      const making = MADE.exec(text)?.[1];
      if (making !== undefined) made.add(making);
      note(doubtful, grantOfOthers(text, made));
      const cast = CAST.exec(text);
      if (cast !== null) casts.push([...cast.slice(1, 3), text]);
      for (const name of functionSettings(text))
        if (settings.size < MAX_NAMES && !settings.has(name))
          settings.set(name, shorten(objectOf(text, "FUNCTION")));
    },
    found: () => ({
      ofSuperuser: [...ofSuperuser, ...casts.filter(hasNoFunction).map(castName(shorten))],
      doubtful: [...doubtful, ...casts.filter((cast) => isOthers(cast, made)).map(castName(shorten))],
      functionSettings: [...settings].map(([name, what]) => ({ name: formatName(name), what })),
    }),
  };
}

function kindIn(bare: string, patterns: readonly RegExp[]): string | undefined {
  return patterns.map((each) => each.exec(bare)?.[1]).find((kind) => kind !== undefined);
}

/** A statement without the body of a function. */
function headOf(text: string): string {
  return /^CREATE (?:FUNCTION|PROCEDURE)\s/.test(text) ? (text.split(FUNCTION_BODY, 1)[0] ?? text) : text;
}

function functionSettings(text: string): string[] {
  if (!/^CREATE (?:FUNCTION|PROCEDURE)\s/.test(text)) return [];
  return [...headOf(text).matchAll(FUNCTION_SETTING)].flatMap(([, name]) => name ?? []);
}

function schemaOf(what: string, formatName: (token: string) => string): string | null | undefined {
  if (what.startsWith("PUBLICATION ")) return null;
  if (IN_NO_SCHEMA.test(what)) return undefined;
  const schema = IN_SCHEMA.exec(what)?.[1];
  return schema === undefined ? undefined : formatName(schema);
}

/** `FUNCTION helpers.bloat()` of the statement that makes it. */
function objectOf(text: string, kind: string): string {
  const rest = text.slice(text.search(new RegExp(kind.replace("FUNCTION", "(?:FUNCTION|PROCEDURE)"))));
  const end =
    /\s(?:RETURNS|LANGUAGE|FOR\s|ON\s|ADD\s|USING|HANDLER|TYPE\s|AS\s|IS\s|WITH\s|TO\s)|\s\($|\s\(\n|\n/.exec(
      rest.slice(kind.length),
    );
  return end === null ? rest : rest.slice(0, kind.length + end.index);
}

/** Of a superuser alone. */
function hasNoFunction([, , text = ""]: readonly string[]): boolean {
  return /\) WITHOUT FUNCTION/i.test(text);
}

/** The maker of a cast must own one of its types. */
function isOthers(cast: readonly string[], made: ReadonlySet<string>): boolean {
  const [source = "", target = ""] = cast;
  return !hasNoFunction(cast) && !(made.has(source) || made.has(target));
}

/** What is granted or revoked on what was not made: it is the server's, or comes with an extension. */
function grantOfOthers(text: string, made: ReadonlySet<string>): string | undefined {
  const [, what, on = ""] = GRANTED.exec(text) ?? [];
  return made.has(on) ? undefined : what;
}

function castName(shorten: (text: string) => string) {
  return ([source, target]: readonly string[]) => shorten(`CAST (${source} AS ${target})`);
}
