import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { backupConfig } from "../../functions/backup/config.ts";
import { cullConfig } from "../../functions/cull/config.ts";
import { readConfig, type ConfigSchema } from "../../shared/config/config.ts";
import { databaseChoice, splitPatterns } from "../../shared/config/database-choice.ts";
import { ODD_NAMES } from "../support/odd-names.ts";

function chosen(list: string) {
  const patterns = splitPatterns(list);
  assert.ok(patterns !== undefined, list);
  return databaseChoice({ POSTGRESQL_DATABASES: patterns });
}

/** Any name that PostgreSQL takes. */
const names = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 20 })
  .filter((name) => Buffer.byteLength(name) <= 63 && !name.includes("\0"));

const escaped = (name: string) => name.replaceAll(/[\\*?!]/g, "\\$&");

describe("POSTGRESQL_DATABASES", () => {
  for (const [list, includes, leavesOut] of [
    ["hets", ["hets"], ["hets2", "het", "HETS", ""]],
    ["hets, reports", ["hets", "reports"], ["hets,", " reports"]],
    ["*", ["hets", "*", "a,b", "new\nline"], []],
    ["*,!reports", ["hets", "reports2"], ["reports"]],
    ["!tmp_*,*", ["hets", "tmp"], ["tmp_", "tmp_1"]],
    ["app_*", ["app_", "app_1", "app_*"], ["app", "my_app_1"]],
    ["app?", ["app1", "app数"], ["app", "app12"]],
    ["*_?_*", ["a_b_c", "__b_"], ["a_b", "_b"]],
    [String.raw`app\*`, ["app*"], ["app1", String.raw`app\*`]],
    [String.raw`\!odd`, ["!odd"], ["odd"]],
    ['["a,b"," led","[x]"]', ["a,b", " led", "[x]"], ["a", "b", "led"]],
    ['["*","!a,b"]', ["a"], ["a,b"]],
  ] as const) {
    it(`means by ${list} what a shell would`, () => {
      const { includes: isIn } = chosen(list);
      for (const name of includes) assert.ok(isIn(name), name);
      for (const name of leavesOut) assert.ok(!isIn(name), name);
    });
  }

  it("is refused where it names no database", () => {
    const long = "x".repeat(64);
    for (const list of ["", ",", "a,,b", "!a", "!", '["a"', "[1]", "[]", '[""]', long, `["${long}"]`])
      assert.equal(splitPatterns(list), undefined, list);
  });

  it("finds each name that is escaped, and no other", () => {
    fc.assert(
      fc.property(names, names, (name, other) => {
        const { includes, named } = chosen(JSON.stringify([escaped(name)]));
        assert.ok(includes(name));
        assert.equal(includes(other), name === other);
        assert.deepEqual(named, [name]);
      }),
    );
    for (const name of ODD_NAMES) assert.ok(chosen(JSON.stringify([escaped(name)])).includes(name), name);
  });

  it("finds what an expression with the same meaning finds", () => {
    const parts = fc.array(fc.constantFrom("a", "b", "*", "?"), { minLength: 1, maxLength: 6 });
    const texts = fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 8 }).map((each) => each.join(""));
    fc.assert(
      fc.property(parts, texts, (pattern, text) => {
        const expression = pattern.map((part) => (part === "*" ? ".*" : part === "?" ? "." : part)).join("");
        const expected = new RegExp(`^${expression}$`).test(text);
        assert.equal(chosen(pattern.join("")).includes(text), expected);
      }),
    );
  });

  it("takes a name off whatever else finds it, in any order", () => {
    fc.assert(
      fc.property(names, fc.boolean(), (name, isFirst) => {
        const [all, not] = ["*", `!${escaped(name)}`];
        const { includes, named } = chosen(JSON.stringify(isFirst ? [not, all] : [all, escaped(name), not]));
        assert.ok(!includes(name) && includes(`${name}.`));
        assert.deepEqual(named, []);
      }),
    );
  });

  it("costs no more time for many stars than for one", () => {
    const { includes } = chosen("*a".repeat(30) + "*b");
    assert.ok(!includes("a".repeat(63)));
  });

  it("and POSTGRESQL_DATABASE are one too many, and neither is a mistake where databases are reached", () => {
    const mistakes = (schema: ConfigSchema, given: Readonly<Record<string, string>>) => {
      try {
        readConfig(schema, given, () => "content");
        return "";
      } catch (error) {
        return (error as Error).message;
      }
    };
    const both = { POSTGRESQL_DATABASE: "hets", POSTGRESQL_DATABASES: "*" };
    const told = /POSTGRESQL_DATABASE and POSTGRESQL_DATABASES are both set/;
    for (const schema of [backupConfig, cullConfig]) assert.match(mistakes(schema, both), told);
    assert.match(
      mistakes(backupConfig, {}),
      /POSTGRESQL_DATABASE is not set: .*; or set POSTGRESQL_DATABASES/,
    );
    assert.doesNotMatch(mistakes(cullConfig, {}), /POSTGRESQL_DATABASE/);
    assert.match(
      mistakes(cullConfig, { POSTGRESQL_DATABASES: "!a" }),
      /POSTGRESQL_DATABASES is "!a": it must be/,
    );
  });
});
