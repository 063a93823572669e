import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { findBlockers, findNeeds } from "../../../../functions/restore/plan/blockers.ts";
import { STRATEGIES, type Strategy } from "../../../../functions/restore/plan/strategy.ts";
import { plainDatabase } from "../../../support/postgres-adapter.ts";
import { legacyFile, restorable, targetFacts, type FactsGiven } from "../../../support/restorables.ts";

type Row = readonly [what: string, facts: FactsGiven, kind: string, strategies: readonly Strategy[]];

const LIVE = { ...plainDatabase, owner: "hets" };
const LOADING = ["swap", "in-place", "rehearse", "beside"] as const;

const ROWS: readonly Row[] = [
  ["a standby", { isStandby: true }, "standby", STRATEGIES],
  ["commits that wait for a standby", { commitsWait: true }, "commits-waiting", STRATEGIES],
  [
    "a pg_hba.conf that names databases",
    { refusedBeside: ["no pg_hba.conf entry"] },
    "connection-refused",
    ["swap", "rehearse", "beside"],
  ],
  [
    "no right to create",
    { canCreateDatabases: false },
    "rights-missing",
    ["swap", "undo", "rehearse", "beside"],
  ],
  ["no ownership", { ownsDatabase: false }, "rights-missing", ["swap", "undo", "in-place"]],
  ["no live database", { exists: false }, "database-missing", ["in-place"]],
  ["a live database half dropped", { isInvalid: true }, "database-invalid", ["swap", "in-place", "undo"]],
  [
    "a prepared transaction",
    { preparedTransactions: ["tx 1"] },
    "prepared-transactions",
    ["swap", "in-place", "undo"],
  ],
  [
    "a superuser's session",
    { untouchableSessions: ["pid 7"] },
    "untouchable-sessions",
    ["swap", "in-place", "undo"],
  ],
  [
    "a worker of an extension",
    { backgroundWorkers: ["TimescaleDB Background Worker Scheduler (pid 7)"] },
    "background-workers",
    ["swap", "in-place", "undo"],
  ],
  [
    "a worker that may stay",
    { backgroundWorkers: ["pg_cron launcher (pid 7)"] },
    "background-workers",
    ["swap", "undo"],
  ],
  ["an active slot", { activeSlots: ["debezium"] }, "active-slots", ["swap", "undo"]],
  ["a subscription", { subscriptions: ["news"] }, "subscriptions", ["swap", "in-place", "undo"]],
  [
    "few connections for the role",
    { roleConnectionLimit: 4, loadSessions: 4 },
    "connections-few",
    ["swap", "rehearse", "beside"],
  ],
  [
    "few connections that are free",
    { freeConnections: 3, loadSessions: 4 },
    "too-many-connections",
    ["swap", "beside"],
  ],
  ["a missing role", { missing: { roles: ["jo"] } }, "roles-missing", LOADING],
  ["a missing extension", { missing: { extensions: ["postgis"] } }, "extensions-missing", LOADING],
  ["a missing tablespace", { missing: { tablespaces: ["fast"] } }, "tablespaces-missing", LOADING],
  [
    "a collation that it cannot make",
    { missingCollations: ["COLLATION a.b"] },
    "collations-missing",
    LOADING,
  ],
  ["a tablespace of others", { forbiddenTablespaces: ["fast"] }, "tablespaces-forbidden", LOADING],
  [
    "a database in a tablespace of others",
    { tablespaceNotCreatable: ["fast"] },
    "tablespaces-forbidden",
    ["swap", "rehearse", "beside"],
  ],
  [
    "a locale that is not there",
    { missingLocales: ["de_AT"] },
    "locales-missing",
    ["swap", "rehearse", "beside"],
  ],
  ["an owner of others", { forbiddenOwner: ["jo"] }, "owner-forbidden", ["swap", "rehearse", "beside"]],
  [
    "a setting that it cannot take",
    { impossibleSettings: ["lc_monetary = xx"] },
    "settings-impossible",
    LOADING,
  ],
  ["an older server", { serverMajor: 14 }, "server-too-old", LOADING],
  ["few locks for tables", { lockTableSize: 5 }, "too-many-objects", ["in-place"]],
  [
    "few locks for large objects",
    { lockTableSize: 100, liveLargeObjects: 201 },
    "too-many-objects",
    ["in-place"],
  ],
  ["few locks for functions", { lockTableSize: 100, liveObjects: 201 }, "too-many-objects", ["in-place"]],
  ["a language that it may not use", { missingLanguage: ["plpgsql"] }, "language-missing", ["in-place"]],
  ["a taken name", { targetTaken: true }, "name-taken", ["beside"]],
];

describe("what blocks a restore", () => {
  for (const [what, facts, kind, strategies] of ROWS) {
    it(`${what} is ${kind} for ${strategies.join(", ")} and nothing else`, () => {
      const kindsOf = (strategy: Strategy) =>
        findBlockers(strategy, { facts: targetFacts(facts), backup: restorable() }).map(
          (blocker) => blocker.kind,
        );

      for (const strategy of STRATEGIES)
        assert.deepEqual(kindsOf(strategy), strategies.includes(strategy) ? [kind] : [], strategy);
    });
  }

  it("is nothing on a server where all is well", () => {
    for (const strategy of STRATEGIES)
      assert.deepEqual(findBlockers(strategy, { facts: targetFacts(), backup: restorable() }), []);
  });

  it("is named, with what to do about it", () => {
    const facts = targetFacts({ activeSlots: ["a", "b"] });

    const [blocker] = findBlockers("swap", { facts, backup: restorable() });

    assert.deepEqual(blocker?.names, ["a", "b"]);
    assert.match(blocker?.detail ?? "", /in use: a, b$/);
    assert.match(blocker?.remedy ?? "", /pg_drop_replication_slot/);
  });

  const pasted: readonly (readonly [FactsGiven, Strategy, sql: string])[] = [
    [{ canCreateDatabases: false }, "swap", 'ALTER ROLE "it\'s" CREATEDB'],
    [
      { ownsDatabase: false, live: { ...LIVE, owner: "app" } },
      "in-place",
      'GRANT "app" TO "it\'s", or ALTER DATABASE "a ""b""" OWNER TO "it\'s"',
    ],
    [{ preparedTransactions: ["o'1"] }, "swap", 'in "a ""b"""'],
    [{ preparedTransactions: ["o'1"] }, "swap", "ROLLBACK PREPARED 'o''1'"],
    [{ untouchableSessions: ["pid 7"] }, "swap", 'GRANT pg_signal_backend TO "it\'s"'],
    [
      { activeSlots: ["a", "b"] },
      "undo",
      "pg_drop_replication_slot('a'); SELECT pg_drop_replication_slot('b')",
    ],
    [{ subscriptions: ["News"] }, "swap", 'ALTER SUBSCRIPTION "News" DISABLE'],
    [{ missing: { roles: ["jo", "Al"] } }, "rehearse", 'CREATE ROLE "jo" NOLOGIN; CREATE ROLE "Al" NOLOGIN'],
    [{ missing: { tablespaces: ["fast"] } }, "swap", 'CREATE TABLESPACE "fast" LOCATION'],
    [{ forbiddenOwner: ["app"] }, "swap", 'GRANT "app" TO "it\'s"'],
    [{ forbiddenTablespaces: ["fast"] }, "in-place", 'GRANT CREATE ON TABLESPACE "fast" TO "it\'s"'],
    [
      { undroppable: ["SCHEMA public of postgres"], live: { ...LIVE, owner: "app" } },
      "in-place",
      'in "a ""b""": ALTER SCHEMA public OWNER TO "app"; or restore as a superuser',
    ],
    [{ undroppable: ["SCHEMA s of jo"] }, "in-place", "GRANT each of these roles"],
    [{ tablespaceNotCreatable: ["fast"] }, "swap", 'GRANT CREATE ON TABLESPACE "fast" TO "it\'s"'],
  ];
  for (const [facts, strategy, sql] of pasted) {
    it(`is put right by SQL that names all of it: ${sql}`, () => {
      const given = targetFacts({ database: 'a "b"', role: "it's", ...facts });

      const [blocker] = findBlockers(strategy, { facts: given, backup: restorable() });

      const remedy = blocker?.remedy ?? "";
      assert.ok(remedy.includes(sql), remedy);
      assert.doesNotMatch(remedy, /\.\.\./);
    });
  }

  it("is reported together with all others", () => {
    const facts = targetFacts({ ownsDatabase: false, subscriptions: ["news"], missing: { roles: ["jo"] } });

    const kinds = findBlockers("swap", { facts, backup: restorable() }).map(({ kind }) => kind);

    assert.deepEqual(kinds, ["rights-missing", "subscriptions", "roles-missing"]);
  });

  it("is no missing right where a superuser restores", () => {
    const facts = targetFacts({ isSuperuser: true, canCreateDatabases: false, ownsDatabase: false });

    assert.deepEqual(findBlockers("swap", { facts, backup: restorable() }), []);
  });

  it("is a file of the old pod, for a restore in place only", () => {
    const given = { facts: targetFacts(), backup: legacyFile() };

    assert.deepEqual(
      findBlockers("in-place", given).map(({ kind }) => kind),
      ["large-objects-in-plain"],
    );
    assert.deepEqual(findBlockers("swap", given), []);
  });

  it("is nothing of an archive where none is loaded", () => {
    const facts = targetFacts({ serverMajor: 9 });

    assert.deepEqual(findBlockers("undo", { facts, backup: undefined }), []);
  });
});

describe("what a backup needs", () => {
  it("are the roles, tablespaces and extensions of its manifest, by their bare names", () => {
    const lacks = [
      { kind: "roles", detail: "x", names: ["jo", '"Odd ""one"""'], data: false },
      { kind: "tablespaces", detail: "x", names: ["fast"], data: false },
    ];

    const needs = findNeeds(restorable({ lacks }));

    assert.deepEqual(needs, { roles: ["jo", 'Odd "one"'], tablespaces: ["fast"], extensions: [] });
  });

  it("is nothing that a file without a manifest can show", () => {
    assert.deepEqual(findNeeds(legacyFile()), { roles: [], tablespaces: [], extensions: [] });
  });
});
