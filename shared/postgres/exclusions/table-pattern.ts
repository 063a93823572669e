/** Regular expressions of the server for the parts of a name; absent where the pattern has no such part. */
type TablePattern = {
  readonly text: string;
  readonly database?: string;
  readonly schema?: string;
  readonly name: string;
};

const SPECIAL = new Set("|*+?()[]{}.^$\\");

/**
 * Reads a pattern as pg_dump does (https://www.postgresql.org/docs/current/app-psql.html#APP-PSQL-PATTERNS): `*` and `?` as in a
 * shell, the rest of a regular expression, and lower case, but for what stands between double quotes. `undefined` for
 * what is none: an open quote, an empty part, more than three parts.
 */
export function parseTablePattern(text: string): TablePattern | undefined {
  const parts = split(text, ".");
  if (parts === undefined || parts.length > 3 || parts.includes("")) return undefined;
  const [name = "", schema, database] = parts.toReversed().map((part) => `^(${toRegex(part)})$`);
  return {
    text,
    name,
    ...(schema === undefined ? {} : { schema }),
    ...(database === undefined ? {} : { database }),
  };
}

/** Patterns between commas, each without the space around it. `undefined` where one of them is none. */
export function parseTablePatterns(list: string): string[] | undefined {
  const texts = split(list, ",")?.map((text) => text.trim());
  return texts?.every((text) => parseTablePattern(text) !== undefined) ? texts : undefined;
}

/** At what stands outside of double quotes; `undefined` where a quote stays open. */
function split(text: string, separator: string): string[] | undefined {
  const parts = [""];
  let isQuoted = false;
  for (const character of text) {
    if (character === '"') isQuoted = !isQuoted;
    if (character === separator && !isQuoted) parts.push("");
    else parts.push(`${parts.pop() ?? ""}${character}`);
  }
  return isQuoted ? undefined : parts;
}

function toRegex(part: string): string {
  let regex = "";
  let isQuoted = false;
  for (let at = 0; at < part.length; at++) {
    const character = part[at] ?? "";
    if (character === '"') {
      if (isQuoted && part[at + 1] === '"') regex += part[++at];
      else isQuoted = !isQuoted;
    } else regex += isQuoted ? literally(character) : openly(character, part[at + 1]);
  }
  return regex;
}

function literally(character: string): string {
  return SPECIAL.has(character) ? `\\${character}` : character;
}

function openly(character: string, next: string | undefined): string {
  if (character === "*") return ".*";
  if (character === "?") return ".";
  // A dollar stands in names, and `[]` in those of types.
  if (character === "$" || (character === "[" && next === "]")) return `\\${character}`;
  return /[A-Z]/.test(character) ? character.toLowerCase() : character;
}
