import { createHash } from "node:crypto";
import { copyRows, NO_ROWS, type CopyRows, type RowsHash } from "./copy-rows.ts";

/** What a dump holds besides the rows of its tables. */
export type ScriptValues = {
  /** Of all sequences: name, last value and whether it was used. */
  readonly sequences: { readonly count: number; readonly hash: RowsHash };
  /** Of all large objects: each one's id and content. */
  readonly largeObjectsHash: RowsHash;
  /** SHA-256 of the statements that make and give away what holds the values, in pg_dump's order. */
  readonly schemaSha256: string;
};

const OF_LARGE_OBJECT = /^SELECT pg_catalog\.(?:lo_open|lowrite)\(/;
const LARGE_OBJECT_END = /^SELECT pg_catalog\.lo_close\(/;
const OF_SEQUENCE = /^SELECT pg_catalog\.setval\(/;
/** Rows, values, statistics, the session's settings, and large objects with their owners: no part of a schema. */
const NO_SCHEMA =
  /^(?:COPY|SELECT (?:\* FROM )?pg_catalog\.|SET|BEGIN|COMMIT|(?:ALTER|COMMENT ON|GRANT [A-Z, ]+ ON|REVOKE [A-Z, ]+ ON) LARGE OBJECT)\b/;
const NEWLINE = Buffer.from("\n");

/**
 * Gathers values from statements and literals as `scriptScanner` passes them: a literal comes before the statement that it
 * stands in, with the beginning of that.
 */
export function scriptValues(): {
  literal(statement: string, piece: Uint8Array): void;
  statement(text: string): void;
  values(): ScriptValues;
} {
  const [objects, sequences] = [lines(), lines()];
  const schema = createHash("sha256");
  return {
    literal(statement, piece) {
      if (OF_LARGE_OBJECT.test(statement)) objects.push(piece);
      else if (OF_SEQUENCE.test(statement)) sequences.push(piece);
      else if (!NO_SCHEMA.test(statement)) schema.update(piece);
    },
    statement(text) {
      if (LARGE_OBJECT_END.test(text)) objects.push(NEWLINE);
      else if (OF_SEQUENCE.test(text)) sequences.push(Buffer.from(`${text}\n`));
      else if (!NO_SCHEMA.test(text)) schema.update(`${text};`, "latin1");
    },
    values: () => ({
      sequences: { count: sequences.count(), hash: sequences.hash() },
      largeObjectsHash: objects.hash(),
      schemaSha256: schema.digest("hex"),
    }),
  };
}

/** Most dumps have none. */
function lines() {
  let rows: CopyRows | undefined;
  return {
    push: (piece: Uint8Array) => void (rows ??= copyRows()).read(piece, 0),
    count: () => rows?.count() ?? 0,
    hash: () => rows?.hash() ?? NO_ROWS,
  };
}
