import type { ReadsName } from "./dump-encoding.ts";
import { fold } from "../sql-text.ts";

/** What a backup needs of the server that it is restored to. */
export type ArchiveNeeds = {
  readonly roles: readonly string[];
  readonly extensions: readonly string[];
  readonly tablespaces: readonly string[];
};

export const NO_NEEDS: ArchiveNeeds = { roles: [], extensions: [], tablespaces: [] };

/** A file that names more than these is hardly a dump: the load finds what was not noted. */
const MAX_NAMES = 1_000;
const MAX_STATEMENT_LENGTH = 1 << 16;
/** Most statements of a long script are none of these, and are not looked at any further. */
const NAMES_SOMETHING =
  /^(?:ALTER|GRANT|REVOKE|SET\s+default_tablespace|CREATE\s+(?:EXTENSION|POLICY|USER|ROLE|GROUP))\s/i;
const TOKEN = /"(?:[^"]|"")*"|[^\s"(),.=']+|[(),.=']/g;
const IDENTIFIER = /^(?:"(?:[^"]|"")+"|[\w$\x80-\xff]+)$/;
const NO_ROLE = /^(?:PUBLIC|CURRENT_USER|CURRENT_ROLE|SESSION_USER)$/i;

type Words = ReturnType<typeof splitWords>;
type Reading = {
  readonly begin: readonly string[];
  /** `made` are roles that the script creates itself. */
  readonly kind: keyof ArchiveNeeds | "made";
  readonly names: (words: Words) => readonly string[];
};

const third = ({ tokens }: Words) => tokens.slice(2, 3);
/** By how a statement begins, the longer ones first. */
const READINGS: readonly Reading[] = [
  { begin: ["CREATE", "USER", "MAPPING"], kind: "roles", names: (words) => words.listBehind("FOR") },
  { begin: ["CREATE", "USER"], kind: "made", names: third },
  { begin: ["CREATE", "ROLE"], kind: "made", names: third },
  { begin: ["CREATE", "GROUP"], kind: "made", names: third },
  {
    begin: ["CREATE", "EXTENSION", "IF", "NOT", "EXISTS"],
    kind: "extensions",
    names: ({ tokens }) => tokens.slice(5, 6),
  },
  { begin: ["CREATE", "EXTENSION"], kind: "extensions", names: third },
  { begin: ["CREATE", "POLICY"], kind: "roles", names: (words) => words.listBehind("TO") },
  { begin: ["GRANT"], kind: "roles", names: (words) => words.listBehind("TO") },
  { begin: ["REVOKE"], kind: "roles", names: (words) => words.listBehind("FROM") },
  {
    begin: ["ALTER", "DEFAULT", "PRIVILEGES"],
    kind: "roles",
    names: (words) => words.ofDefaultPrivileges(),
  },
  { begin: ["ALTER"], kind: "roles", names: (words) => words.newOwner() },
  { begin: ["SET"], kind: "tablespaces", names: ({ tokens }) => tokens.slice(-1) },
];

/** Gathers what the statements of a script, as `scriptScanner` passes them, need of a server. */
export function scriptNeeds(readName: ReadsName): { statement(text: string): void; needs(): ArchiveNeeds } {
  const found = {
    roles: new Set<string>(),
    made: new Set<string>(),
    extensions: new Set<string>(),
    tablespaces: new Set<string>(),
  };
  return {
    statement(text) {
      if (text.length > MAX_STATEMENT_LENGTH || !NAMES_SOMETHING.test(text)) return;
      const words = splitWords(text);
      const reading = READINGS.find(({ begin }) => words.at(0, ...begin));
      if (reading === undefined) return;
      const names = found[reading.kind];
      for (const name of reading.names(words).flatMap((token) => formatName(token, readName)))
        if (names.size < MAX_NAMES) names.add(name);
    },
    needs: () => ({
      roles: [...found.roles].filter((name) => !found.made.has(name)),
      extensions: [...found.extensions],
      tablespaces: [...found.tablespaces],
    }),
  };
}

function splitWords(statement: string) {
  const tokens = statement.match(TOKEN) ?? [];
  const is = (index: number, word: string) => tokens[index]?.toUpperCase() === word;
  const at = (index: number, ...words: readonly string[]) =>
    words.every((word, offset) => is(index + offset, word));

  /** Names with commas between them, the word GROUP of old releases left out. */
  function listAt(start: number): string[] {
    const names: string[] = [];
    for (let index = start; index < tokens.length; index += 2) {
      if (is(index, "GROUP")) index++;
      names.push(tokens[index] ?? "");
      if (tokens[index + 1] !== ",") break;
    }
    return names;
  }

  /** TO, FROM and FOR are reserved: bare, they are no name of anything. */
  function listBehind(keyword: string, from = 0): string[] {
    const index = tokens.findIndex((_, each) => each >= from && is(each, keyword));
    return index === -1 ? [] : listAt(index + 1);
  }

  return {
    tokens,
    at,
    listBehind,
    ofDefaultPrivileges() {
      const owners = at(3, "FOR", "ROLE") || at(3, "FOR", "USER") ? listAt(5) : [];
      const verb = tokens.findIndex((_, each) => each > 2 && (is(each, "GRANT") || is(each, "REVOKE")));
      if (verb === -1) return owners;
      return [...owners, ...listBehind(is(verb, "GRANT") ? "TO" : "FROM", verb)];
    },
    /** What is renamed may be called OWNER, too. */
    newOwner: () =>
      at(tokens.length - 3, "OWNER", "TO") && !tokens.some((_, index) => is(index, "RENAME"))
        ? tokens.slice(-1)
        : [],
  };
}

/** As the server reads it. Nothing for what is no name, and for the words that stand for a role. */
function formatName(token: string, readName: ReadsName): string[] {
  if (!IDENTIFIER.test(token) || NO_ROLE.test(token)) return [];
  const name = readName(fold(token));
  return name === undefined ? [] : [name];
}
