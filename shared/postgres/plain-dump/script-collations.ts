import type { ReadsName } from "./dump-encoding.ts";
import { fold } from "../sql-text.ts";

/** A collation that a script makes. */
type MadeCollation = {
  /** `COLLATION public.german` */
  readonly what: string;
  /** `libc`, `icu` or `builtin`. */
  readonly provider: string;
  /** Of libc two may differ, for the order and for the classes of characters. */
  readonly locales: readonly string[];
};

export type ScriptCollations = {
  readonly madeCollations: readonly MadeCollation[];
  /** Of the server's own, which it finds in its libraries when it is made. */
  readonly usedCollations: readonly string[];
};

const MAX_NAMES = 1_000;
const PART = String.raw`(?:"(?:[^"]|"")*"|[\w$\x80-\xff]+)`;
const MADE = new RegExp(
  String.raw`^CREATE COLLATION (?:IF NOT EXISTS )?((?:${PART}\s*\.\s*)?(${PART}))`,
  "i",
);
const PROVIDER = /\bprovider\s*=\s*"?(\w+)/i;
const OPENS_LOCALE = /^CREATE COLLATION [^]*\b(?:locale|lc_collate|lc_ctype)\s*=\s*'$/i;
/** A quoted name may hold anything; behind the schema of another than the server stands a dot. */
const USED = new RegExp(
  String.raw`\bCOLLATE\s+(?:pg_catalog\s*\.\s*)?(${PART})(?![\w$\x80-\xff"]|\s*\.)|"(?:[^"]|"")*"`,
  "gi",
);

/** Gathers collations from statements and literals as `scriptScanner` passes them: a literal comes before its statement. */
export function scriptCollations(readName: ReadsName): {
  literal(statement: string, piece: Uint8Array): void;
  statement(text: string): void;
  collations(): ScriptCollations;
} {
  const made: MadeCollation[] = [];
  const used = new Set<string>();
  /** An old script finds its own without their schema, too. */
  const own = new Set<string>();
  let locales = new Map<string, string>();

  function make(text: string, [, name = "", bare = ""]: readonly string[]): void {
    if (made.length === MAX_NAMES) return;
    const found = [...locales.values()].map((literal) => readName(literal.slice(0, -1)) ?? literal);
    const provider = PROVIDER.exec(text)?.[1]?.toLowerCase() ?? "libc";
    made.push({ what: `COLLATION ${readName(name) ?? name}`, provider, locales: [...new Set(found)] });
    own.add(fold(bare));
  }

  function use(text: string): void {
    for (const [, token] of text.matchAll(USED))
      if (token !== undefined && used.size < MAX_NAMES) used.add(fold(token));
  }

  return {
    literal(statement, piece) {
      if (!OPENS_LOCALE.test(statement)) return;
      locales.set(statement, (locales.get(statement) ?? "") + Buffer.from(piece).toString("latin1"));
    },
    statement(text) {
      if (!/COLLAT/i.test(text)) return;
      const name = MADE.exec(text);
      if (name === null) use(text);
      else make(text, name);
      locales = new Map();
    },
    collations: () => ({
      madeCollations: made,
      usedCollations: [...used].filter((name) => !own.has(name)).map((name) => readName(name) ?? name),
    }),
  };
}
