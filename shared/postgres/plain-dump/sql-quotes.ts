/** Reads on from `from`; returns the position behind the end of the quote, or `NOT_YET` when `bytes` end first. */
type Skip = (bytes: Uint8Array, from: number) => number;
export const NOT_YET = -1;

/** A quote or comment that has just been opened. */
export type Opening = {
  /** The statement so far, without what opened a comment or a meta-command. */
  readonly statement: string;
  readonly skip: Skip;
  /** What stands for the quote in the statement once it is closed. */
  readonly closed: () => string;
};

export type ScriptEvents = {
  /** A line comment without its dashes, and where in the bytes that are scanned its line ends. */
  readonly comment: (text: string, end: number) => void;
  /** A backslash outside every quote: psql runs it, wherever it stands on its line. */
  readonly metaCommand: (text: string, end: number) => void;
  /** A piece of a literal or of a dollar quote, the last one with what closes it, and its statement so far. */
  readonly literal: (statement: string, piece: Uint8Array) => void;
};

const MAX_NOTE_LENGTH = 200;
const MAX_IDENTIFIER_LENGTH = 256;
/** A dollar quote opens at the second `$` of `$tag$`, unless the first belongs to an identifier. */
const DOLLAR_TAG = /(?<![\w$\x80-\xff])\$(?:[A-Za-z_\x80-\xff][\w\x80-\xff]*)?\$$/;
/** `E'`; or, for 'a''b', which is two literals side by side, the mark of an escape string that was just closed. */
const OPENS_ESCAPE_STRING = /(?:(?<![\w$\x80-\xff])[eE]|E')'$/;

/** The characters that may open something. */
export const OPENERS: ReadonlySet<string> = new Set(["-", "*", "\\", '"', "'", "$"]);

/** What the last character of `statement` opens, if anything, by PostgreSQL's lexical rules. */
export function openingAt(statement: string, listener: ScriptEvents): Opening | undefined {
  switch (statement.at(-1) ?? "") {
    case "-":
      return statement.endsWith("--") ? note(statement.slice(0, -2), listener.comment) : undefined;
    case "*":
      return statement.endsWith("/*") ? silent(statement.slice(0, -2), untilCommentEnd()) : undefined;
    case "\\":
      return note(statement.slice(0, -1), listener.metaCommand);
    case '"':
      return identifier(statement);
    case "'":
      return literal(statement, listener.literal);
    case "$":
      return dollarQuote(statement, listener.literal);
    default:
      return undefined;
  }
}

function silent(statement: string, skip: Skip, closed = ""): Opening {
  return { statement, skip, closed: () => closed };
}

function literal(statement: string, report: ScriptEvents["literal"]): Opening {
  const escapes = OPENS_ESCAPE_STRING.test(statement.slice(-4));
  const skip = escapes ? untilUnescapedQuote() : untilByte(0x27);
  return silent(statement, reporting(statement, skip, report), escapes ? "E'" : "'");
}

function dollarQuote(statement: string, report: ScriptEvents["literal"]): Opening | undefined {
  const tag = DOLLAR_TAG.exec(statement.slice(-70))?.[0];
  return tag === undefined ? undefined : silent(statement, reporting(statement, untilText(tag), report));
}

function reporting(statement: string, skip: Skip, report: ScriptEvents["literal"]): Skip {
  return (bytes, from) => {
    const end = skip(bytes, from);
    report(statement, bytes.subarray(from, end === NOT_YET ? bytes.length : end));
    return end;
  };
}

/** Identifiers stay in the statement, which may name the table of a COPY. */
function identifier(statement: string): Opening {
  const find = untilByte(0x22);
  let text = "";
  const skip: Skip = (bytes, from) => {
    const end = find(bytes, from);
    text += latin1(bytes, from, end === NOT_YET ? bytes.length : end, MAX_IDENTIFIER_LENGTH - text.length);
    return end;
  };
  return { statement, skip, closed: () => text };
}

/** Ends before the newline, which belongs to the script around it. */
function note(statement: string, report: (text: string, end: number) => void): Opening {
  let text = "";
  const skip: Skip = (bytes, from) => {
    const end = bytes.indexOf(0x0a, from);
    text += latin1(bytes, from, end === -1 ? bytes.length : end, MAX_NOTE_LENGTH - text.length);
    if (end === -1) return NOT_YET;
    report(text.trim(), end);
    return end;
  };
  return { statement, skip, closed: () => "" };
}

function untilByte(byte: number): Skip {
  return (bytes, from) => {
    const end = bytes.indexOf(byte, from);
    return end === -1 ? NOT_YET : end + 1;
  };
}

function untilUnescapedQuote(): Skip {
  let isEscaped = false;
  return (bytes, from) => {
    for (let at = from; at < bytes.length; at++) {
      if (!isEscaped && bytes[at] === 0x27) return at + 1;
      isEscaped = !isEscaped && bytes[at] === 0x5c;
    }
    return NOT_YET;
  };
}

function untilText(text: string): Skip {
  let recent = "";
  return (bytes, from) => {
    for (let at = from; at < bytes.length; at++) {
      recent = (recent + String.fromCharCode(bytes[at] ?? 0)).slice(-text.length);
      if (recent === text) return at + 1;
    }
    return NOT_YET;
  };
}

/** Block comments nest in PostgreSQL. */
function untilCommentEnd(): Skip {
  let depth = 1;
  let recent = "";
  return (bytes, from) => {
    for (let at = from; at < bytes.length; at++) {
      recent = recent.slice(-1) + String.fromCharCode(bytes[at] ?? 0);
      if (recent !== "/*" && recent !== "*/") continue;
      depth += recent === "/*" ? 1 : -1;
      recent = "";
      if (depth === 0) return at + 1;
    }
    return NOT_YET;
  };
}

/** One character a byte, at most `limit` of them. */
function latin1(bytes: Uint8Array, from: number, until: number, limit: number): string {
  return String.fromCharCode(...bytes.subarray(from, Math.min(until, from + Math.max(0, limit))));
}
