import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { archiveName, parseArchiveName } from "../../shared/catalog/archive-name.ts";
import { ODD_NAMES } from "../support/odd-names.ts";

const at = new Date("2026-11-22T01:00:59Z");

describe("archiveName", () => {
  it("is the day, the database and the minute in UTC", () => {
    assert.equal(archiveName("hets", at), "2026-11-22/hets2026-11-22-01-00.bak");
    assert.equal(archiveName("hets", at, 2), "2026-11-22/hets2026-11-22-01-00-2.bak");
    assert.equal(archiveName("../%41", at), "2026-11-22/%2E%2E%2F%25412026-11-22-01-00.bak");
  });

  it("is read back from whatever database, minute and ordinal it was made of", () => {
    const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 15 });
    const database = fc.oneof(
      fc.constantFrom(...ODD_NAMES),
      text,
      fc.constant("db2026-11-22-01-00"),
      fc.constant("a-2"),
    );
    const minute = fc.date({ min: new Date("1970-01-01"), max: new Date("9999-12-31"), noInvalidDate: true });

    fc.assert(
      fc.property(database, minute, fc.integer({ min: 1, max: 99 }), (name, startedAt, ordinal) => {
        fc.pre(new TextEncoder().encode(name).length <= 63 && name.isWellFormed());
        const parts = parseArchiveName(archiveName(name, startedAt, ordinal));

        assert.equal(parts?.database, name);
        assert.equal(parts.ordinal, ordinal);
        assert.equal(parts.minuteAt.getTime(), Math.floor(startedAt.getTime() / 60_000) * 60_000);
      }),
    );
  });

  it("fits a file name even for the longest name of nothing but dots", () => {
    const [, file = ""] = archiveName(".".repeat(63), at, 99).split("/");

    assert.ok(Buffer.byteLength(`${file}.json`) <= 255);
    assert.throws(() => archiveName("x".repeat(64), at), { code: "configuration_invalid" });
    assert.throws(() => archiveName("", at), { code: "configuration_invalid" });
  });

  const strangers = [
    "hets2026-11-22-01-00.bak",
    "2026-11-23/hets2026-11-22-01-00.bak",
    "2026-11-22/2026-11-22-01-00.bak",
    "2026-11-22/hets2026-11-22-25-00.bak",
    "2026-02-30/hets2026-02-30-01-00.bak",
    "2026-11-22/hets2026-11-22-01-00.bak.json",
    "2026-11-22/hets2026-11-22-01-00.sql",
    "2026-11-22/hets2026-11-22-01-00.gz",
    "2026-11-22/hets2026-11-22-01-00-1.bak",
    "2026-11-22/hets2026-11-22-01-00-02.bak",
    "2026-11-22/he.ts2026-11-22-01-00.bak",
    "2026-11-22/%2e2026-11-22-01-00.bak",
    "2026-11-22/%zz2026-11-22-01-00.bak",
    "2026-11-22/../2026-11-22/hets2026-11-22-01-00.bak",
    "/2026-11-22/hets2026-11-22-01-00.bak",
    "2026-11-22/hets2026-11-22-01-00.bak\0",
    "",
  ];
  for (const name of strangers) {
    it(`takes no ${JSON.stringify(name)}`, () => {
      assert.equal(parseArchiveName(name), undefined);
    });
  }
});
