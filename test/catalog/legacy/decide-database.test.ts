import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { mayBeOf, parseArchiveName } from "../../../shared/catalog/archive-name.ts";
import { decideDatabases } from "../../../shared/catalog/legacy/decide-database.ts";

type Given = Parameters<typeof decideDatabases>;

/** What is decided, as `name: database`; a name that is of no known database stands for itself. */
const decide = (...given: Given) =>
  [...decideDatabases(...given)].map(
    ([name, { database, isDecided }]) => `${name}: ${isDecided ? database : "?"}`,
  );

const CASES: readonly (readonly [string, Given, readonly string[]])[] = [
  [
    "the server's name where it is known, whatever the database is called",
    [["pg-app", "pg-my-app", "pg-app-2"], { host: "pg", databases: ["app"] }],
    ["pg-app: app", "pg-my-app: my-app", "pg-app-2: app-2"],
  ],
  [
    "the short name of a server that is reached by a longer one",
    [["pg-app"], { host: "pg.tools.svc.cluster.local", databases: [] }],
    ["pg-app: app"],
  ],
  [
    "no other server's database of the same name, where the server's own files are there",
    [["pg-app", "old-app"], { host: "pg", databases: ["app"] }],
    ["pg-app: app", "old-app: ?"],
  ],
  [
    "the only server that has such a database, where none has the name of the server",
    [["old-app", "old-app2", "old-apps"], { host: "10.0.0.7", databases: ["app"] }],
    ["old-app: app", "old-app2: ?", "old-apps: ?"],
  ],
  ["a server with hyphens", [["my-old-pg-app"], { databases: ["app"] }], ["my-old-pg-app: app"]],
  [
    "the longer database beside the shorter one",
    [["pg-app", "pg-my-app"], { databases: ["app"] }],
    ["pg-app: app", "pg-my-app: ?"],
  ],
  [
    "the longer database where it is known as well",
    [["pg-my-app"], { databases: ["app", "my-app"] }],
    ["pg-my-app: my-app"],
  ],
  ["neither of two servers", [["one-app", "two-app"], { databases: ["app"] }], ["one-app: ?", "two-app: ?"]],
  ["nothing where nothing is known", [["pg-app"], { databases: [] }], ["pg-app: ?"]],
  ["no prefix of the server's name", [["pgx-app"], { host: "pg", databases: [] }], ["pgx-app: ?"]],
  ["no empty name", [["pg-"], { host: "pg", databases: [] }], ["pg-: ?"]],
  [
    "what was decided before",
    [["one-app", "two-app"], { databases: ["app"] }, new Map([["one-app", "app"]])],
    ["one-app: app", "two-app: ?"],
  ],
];

describe("the database of a file of backup-container", () => {
  for (const [what, given, expected] of CASES)
    it(`is decided by ${what}`, () => assert.deepEqual(decide(...given), expected));

  it("is one that its name may be of, whatever is decided", () => {
    for (const [, given] of CASES)
      for (const [name, { database }] of decideDatabases(...given))
        assert.ok(mayBeOf({ database: name, withServer: true }, database), `${name} ${database}`);
  });

  it("is looked for in names that backup-container makes, and in no others", () => {
    const good = "daily/2024-03-05/postgresql-hets_2024-03-05_01-00-00.sql.gz";
    const parts = parseArchiveName(good);
    assert.deepEqual(
      [parts?.name, parts?.database, parts?.folder, parts?.minuteAt.toISOString()],
      [good, "postgresql-hets", "daily/2024-03-05", "2024-03-05T01:00:00.000Z"],
    );
    // The folder is made before the file is named.
    assert.notEqual(parseArchiveName("2024-03-04/pg-a_2024-03-05_00-00-01.sql.gz"), undefined);
    for (const bad of [
      `${good}.in_progress`,
      `hourly/${good}`,
      `daily/${good}`,
      good.replace("-hets", ""),
      good.replace("01-00-00", "25-00-00"),
      good.replaceAll("03-05", "02-30"),
      good.replace(".sql.gz", ".bak"),
      good.replace("postgresql-hets", "../../etc/x-y"),
      good.replace("postgresql-hets", "x-\ny"),
      good.replace("daily", "daily/.."),
    ])
      assert.equal(parseArchiveName(bad), undefined, bad);
  });
});
