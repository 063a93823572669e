import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { describe, it } from "node:test";
import { stderrLines } from "../../../shared/postgres/process/stderr-lines.ts";

const SECRET = "correct-horse-battery";

describe("what a client tool complains of", () => {
  it("is kept at both ends, and says how much is left out", async () => {
    const lines = await kept(Array.from({ length: 100_000 }, (_, line) => `line ${line}\n`).join(""));

    assert.equal(lines.length, 101);
    assert.deepEqual(
      [lines[0], lines[49], lines[51], lines[100]],
      ["line 0", "line 49", "line 99950", "line 99999"],
    );
    assert.equal(lines[50], "(99900 lines left out)");
  });

  it("is whole however it is cut into pieces, also where a piece ends in the middle of a letter", async () => {
    const bytes = Buffer.from("pg_dump: Größe\npg_dump: last, without an end");
    const pieces = Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));

    assert.deepEqual(await kept(...pieces), ["pg_dump: Größe", "pg_dump: last, without an end"]);
  });

  it("is bounded by the line, too", async () => {
    const [line = ""] = await kept("x".repeat(1 << 20), "y".repeat(1 << 20));
    assert.equal(line, "x".repeat(1_000));
  });

  for (const before of [0, 990, 999, 1_000, 5_000]) {
    it(`shows no part of a secret that stands behind ${before} letters`, async () => {
      for (const begin of ["x", SECRET]) {
        const text = `${begin.repeat(before).slice(0, before)}${SECRET} was refused\n`;
        for (const pieces of [[text], [text.slice(0, before + 5), text.slice(before + 5)]])
          assert.doesNotMatch((await kept(...pieces)).join("\n"), /corr|horse|battery/);
      }
    });
  }
});

function kept(...pieces: (string | Uint8Array)[]): Promise<readonly string[]> {
  const buffers = pieces.map((piece) => Buffer.from(piece as string));
  return stderrLines(Readable.from(buffers, { objectMode: true }), ["", SECRET]).complete();
}
