import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type pg from "pg";
import { plainDumpScanner } from "../../../shared/postgres/plain-dump/plain-dump.ts";
import { sharedServer } from "../../support/postgres.ts";

/** As the server itself reads bytes, of those that are text. */
const TEXTS = `CREATE FUNCTION pg_temp.texts(encoding name, candidates text[]) RETURNS TABLE (bytes text, text text)
  LANGUAGE plpgsql AS $$ BEGIN
    FOREACH bytes IN ARRAY candidates LOOP
      BEGIN
        text := convert_from(decode(bytes, 'hex'), encoding);
        RETURN NEXT;
      EXCEPTION WHEN OTHERS THEN NULL;
      END;
    END LOOP;
  END $$`;

/** One byte, two, and three or four behind the single shifts of EUC. */
function* candidates(encoding: string): Generator<string> {
  const high = Array.from({ length: 128 }, (_, index) => (index + 128).toString(16));
  yield* high;
  if (ONE_BYTE.test(encoding)) return;
  for (const lead of high) for (const trail of high) yield `${lead}${trail}`;
  if (encoding.startsWith("EUC_J"))
    for (const lead of high) for (const trail of high) yield `8f${lead}${trail}`;
  if (encoding === "EUC_TW") for (const trail of high) yield `8ea2c4${trail}`;
}

const ONE_BYTE = /^(?:LATIN|WIN|KOI8|ISO_)/;

/** No decoder here has them. */
const BY_BYTES = new Set(["EUC_TW", "EUC_JIS_2004"]);
/** Letters that each other encoding is to show as such. */
const COMMON = /^[äöüßéñşŁžčабвґαβγאבあア亜中国가]+$/;

const octal = (bytes: Buffer) => [...bytes].map((byte) => `\\${byte.toString(8)}`).join("");

/** The names of tables in a dump, from their bytes. */
function namesIn(encoding: string, all: readonly string[]): readonly string[] {
  const scanner = plainDumpScanner();
  const copies = all.map(
    (bytes) => `COPY a."${Buffer.from(bytes, "hex").toString("latin1")}" (b) FROM stdin;\n\\.\n`,
  );
  scanner.push(Buffer.from(`SET client_encoding = '${encoding}';\n${copies.join("")}`, "latin1"));
  return scanner.end().tables.map(({ name }) => name);
}

describe("a name in an encoding of the server", () => {
  let client: pg.Client;
  before(async () => {
    client = await (await sharedServer()).connect();
    await client.query(TEXTS);
  });
  after(() => client.end());

  it("is noted as the text that the server reads, or by its bytes", async () => {
    const sql = "SELECT pg_encoding_to_char(n) AS encoding FROM generate_series(1, 34) n";
    for (const { encoding } of (await client.query<{ encoding: string }>(sql)).rows) {
      const { rows } = await client.query<{ bytes: string; text: string }>(
        "SELECT * FROM pg_temp.texts($1, $2)",
        [encoding, [...candidates(encoding)]],
      );
      const names = namesIn(
        encoding,
        rows.map(({ bytes }) => bytes),
      );
      const byBytes = ({ bytes, text }: (typeof rows)[number]) =>
        (BY_BYTES.has(encoding) || !COMMON.test(text)) && octal(Buffer.from(bytes, "hex"));

      assert.equal(names.length, rows.length);
      const wrong = rows.filter((row, at) => names[at] !== row.text && names[at] !== byBytes(row));
      assert.deepEqual(wrong.slice(0, 20), [], encoding);
    }
  });
});
