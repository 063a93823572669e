import type { ReadsName } from "./dump-encoding.ts";
import { unquote } from "../sql-text.ts";

/** A plan lists no more. */
export const MAX_NAMES = 1_000;
/** Of what is kept to look others up by it. */
export const MAX_KNOWN = 100_000;
export const NAME = String.raw`(?:"(?:[^"]|"")*"|[^\s"().,;]+)`;
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

/** Behind it stands what a function does, which may read like anything. */
const FUNCTION_BODY = /\n {4}(?:AS |BEGIN ATOMIC|RETURN )/;

export type Words = ReturnType<typeof wordsBy>;

/** As a plan shows what a script names. */
export function wordsBy(readName: ReadsName) {
  return {
    shorten: (text: string) => readName(text.replaceAll(/\s+/g, " ").slice(0, 200)) ?? text.slice(0, 200),
    formatName: (token: string) => readName(unquote(token)) ?? unquote(token),
  };
}

type Cast = { readonly source: string; readonly target: string; readonly hasFunction: boolean };

/** Gathers what a script makes that the server may refuse a role that is no superuser. */
export function gatherPrivileged({ shorten, formatName }: Words) {
  const ofSuperuser = new Set<string>();
  const doubtful = new Set<string>();
  const settings = new Map<string, string>();
  const made = new Set<string>();
  const casts = gatherCasts(shorten, made);
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
      if (making !== undefined && made.size < MAX_KNOWN) made.add(making);
      note(doubtful, grantOfOthers(text, made));
      casts.statement(text);
      for (const name of functionSettings(text))
        if (settings.size < MAX_NAMES && !settings.has(name))
          settings.set(name, shorten(objectOf(text, "FUNCTION")));
    },
    found: () => ({
      ofSuperuser: [...ofSuperuser, ...casts.ofSuperuser()],
      doubtful: [...doubtful, ...casts.ofOthers()],
      functionSettings: [...settings].map(([name, what]) => ({ name: formatName(name), what })),
    }),
  };
}

/** The maker of a cast must own one of its types, and of one without a function be a superuser. */
function gatherCasts(shorten: Words["shorten"], made: ReadonlySet<string>) {
  const casts: Cast[] = [];
  const castName = ({ source, target }: Cast) => shorten(`CAST (${source} AS ${target})`);
  return {
    statement(text: string): void {
      const [cast, source = "", target = ""] = CAST.exec(text) ?? [];
      if (cast !== undefined && casts.length < MAX_NAMES)
        casts.push({ source, target, hasFunction: !/\) WITHOUT FUNCTION/i.test(text) });
    },
    ofSuperuser: () => casts.filter(({ hasFunction }) => !hasFunction).map(castName),
    ofOthers: () =>
      casts
        .filter((each) => each.hasFunction && !made.has(each.source) && !made.has(each.target))
        .map(castName),
  };
}

/** What is granted or revoked on what was not made: it is the server's, or comes with an extension. */
function grantOfOthers(text: string, made: ReadonlySet<string>): string | undefined {
  const [, what, on = ""] = GRANTED.exec(text) ?? [];
  return made.has(on) ? undefined : what;
}

function kindIn(bare: string, patterns: readonly RegExp[]): string | undefined {
  return patterns.map((each) => each.exec(bare)?.[1]).find((kind) => kind !== undefined);
}

/** A statement without the body of a function. */
export function headOf(text: string): string {
  return /^CREATE (?:FUNCTION|PROCEDURE)\s/.test(text) ? (text.split(FUNCTION_BODY, 1)[0] ?? text) : text;
}

function functionSettings(text: string): string[] {
  if (!/^CREATE (?:FUNCTION|PROCEDURE)\s/.test(text)) return [];
  return [...headOf(text).matchAll(FUNCTION_SETTING)].flatMap(([, name]) => name ?? []);
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
