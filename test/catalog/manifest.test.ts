import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseManifest, serialiseManifest } from "../../shared/catalog/manifest.ts";
import { aManifest } from "../support/backups.ts";

describe("BackupManifest", () => {
  it("is read back as it was written, with what a later release added", () => {
    const manifest = { ...aManifest(), kinship: { key: "from the future" } };

    const parsed = parseManifest(manifest.name, serialiseManifest(manifest));

    assert.deepEqual(parsed, manifest);
  });

  for (const [noted, level] of [
    ["hashed", "read"],
    ["restored", "read"],
    ["compared", "counted"],
    ["counted", "counted"],
  ] as const) {
    it(`is read with the verification level ${noted} of an older format`, () => {
      const { name, verification, ...rest } = aManifest();
      const json = JSON.stringify({ ...rest, name, verification: { ...verification, level: noted } });

      assert.equal(parseManifest(name, json).verification.level, level);
    });
  }

  it("is compared by value only where it has the hashes to which the values were compared", () => {
    const { name, verification, content, ...rest } = aManifest();
    const level = (hashing?: string) => {
      const noted = { ...rest, name, verification: { ...verification, level: "compared" } };
      return parseManifest(name, JSON.stringify({ ...noted, content: { ...content, hashing } })).verification
        .level;
    };
    assert.deepEqual([level(), level("murmur3-x64-128-sum")], ["counted", "compared"]);
  });

  const broken: (readonly [string, string, RegExp])[] = [
    ["no JSON", "{", /it is not JSON/],
    ["another format version", JSON.stringify({ ...aManifest(), formatVersion: 2 }), /formatVersion/],
    [
      "no hash",
      JSON.stringify({ ...aManifest(), archive: { ...aManifest().archive, sha256: "no" } }),
      /archive\.sha256/,
    ],
    ["another archive's", JSON.stringify(aManifest({ database: "other" })), /it belongs to/],
    [
      "a database that is not the name's",
      JSON.stringify({ ...aManifest(), database: "other" }),
      /it belongs to/,
    ],
    ["a list", "[]", /expected object/],
  ];
  const ofTables = (...tables: readonly unknown[]) =>
    JSON.stringify({ ...aManifest(), content: { ...aManifest().content, tables } });
  const table = { schema: "public", name: "t", rows: 1 };
  for (const [what, json] of [
    ["a table that is none", ofTables(table, null)],
    ["a table without a schema", ofTables({ ...table, schema: undefined })],
    ["a table whose name is a number", ofTables({ ...table, name: 1 })],
    ["less than no rows", ofTables({ ...table, rows: -1 })],
    ["half a row", ofTables({ ...table, rows: 1.5 })],
    ["rows as text", ofTables({ ...table, rows: "1" })],
    ["a hash that is none", ofTables({ ...table, hash: null })],
    ["columns that are no list", ofTables({ ...table, columns: "a" })],
    ["a column that is no text", ofTables({ ...table, columns: ["a", 1] })],
    [
      "tables by name",
      JSON.stringify({ ...aManifest(), content: { ...aManifest().content, tables: { t: table } } }),
    ],
  ] as const)
    broken.push([what, json, /content\.tables: is no list of tables/]);
  for (const [what, json, message] of broken) {
    it(`refuses ${what}`, () => {
      const parse = () => parseManifest(aManifest().name, json);

      assert.throws(parse, { code: "catalog_unreadable", message });
    });
  }

  it("is not written when it could not be read", () => {
    assert.throws(() => serialiseManifest(aManifest({ sequence: -1 })), { code: "catalog_unreadable" });
  });
});
