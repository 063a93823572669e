import { NOT_YET, openingAt, OPENERS, type ScriptEvents, type Opening } from "./sql-quotes.ts";

/** What a script holds outside its quotes, as psql would see it. Text is one character a byte (latin1). */
export type ScriptListener = ScriptEvents & {
  /** A whole statement without its `;`, comments and the contents of literals left out. */
  statement(text: string): void;
  /** Called at the end of each line outside quotes; `true` says that COPY data begin with the next byte. */
  lineEnd(): boolean;
};

type ScriptScanner = {
  /** Reads from `from` on and returns where it stopped: the end of `bytes`, or the first byte of COPY data. */
  scan(bytes: Uint8Array, from: number): number;
  /** Whether the script could end here: no quote, comment or statement is open. */
  isAtRest(): boolean;
};

/** No statement of pg_dump that matters is longer: COPY with 1,600 columns stays below. */
const MAX_STATEMENT_LENGTH = 1 << 20;
const LEADING_SPACE = /^\s+/;
const IS_SPECIAL = Uint8Array.from({ length: 256 }, (_, byte) =>
  ";\n".includes(String.fromCharCode(byte)) || OPENERS.has(String.fromCharCode(byte)) ? 1 : 0,
);

/**
 * Finds statements, comments and meta-commands in a stream of SQL, by the lexical rules of PostgreSQL
 * (https://www.postgresql.org/docs/current/sql-syntax-lexical.html). Its memory is bounded whatever it reads.
 */
export function scriptScanner(listener: ScriptListener): ScriptScanner {
  let statement = "";
  let quote: Opening | undefined;

  /** Returns whether COPY data follow. */
  function take(character: string): boolean {
    if (character === ";") {
      const text = statement;
      statement = "";
      listener.statement(text);
      return false;
    }
    if (statement !== "" || character !== "\n") statement = bounded(statement + character);
    if (character === "\n") return listener.lineEnd();
    quote = openingAt(statement, listener);
    statement = quote?.statement ?? statement;
    return false;
  }

  function closeQuote(bytes: Uint8Array, from: number, opened: Opening): number {
    const end = opened.skip(bytes, from);
    if (end === NOT_YET) return bytes.length;
    statement = bounded(statement + opened.closed());
    quote = undefined;
    return end;
  }

  return {
    scan(bytes, from) {
      let at = from;
      while (at < bytes.length) {
        if (quote !== undefined) at = closeQuote(bytes, at, quote);
        else {
          const plain = plainText(bytes, at);
          statement = bounded(statement === "" ? plain.replace(LEADING_SPACE, "") : statement + plain);
          at += plain.length;
          if (at < bytes.length && take(String.fromCharCode(bytes[at++] ?? 0))) break;
        }
      }
      return at;
    },
    isAtRest: () => quote === undefined && statement.trim() === "",
  };
}

function bounded(statement: string): string {
  return statement.length > MAX_STATEMENT_LENGTH
    ? statement.slice(0, 100) + statement.slice(-100)
    : statement;
}

/** From `from` on what can neither open nor end anything, as most of a script. */
function plainText(bytes: Uint8Array, from: number): string {
  let end = from;
  while (end < bytes.length && IS_SPECIAL[bytes[end] ?? 0] === 0) end++;
  return end === from
    ? ""
    : Buffer.from(bytes.buffer, bytes.byteOffset + from, end - from).toString("latin1");
}
