import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type {
  DatabaseProperties,
  Settings,
} from "../../../shared/postgres/properties/database-properties.ts";
import { NO_NEEDS } from "../../../shared/postgres/plain-dump/script-needs.ts";
import { connect } from "../../../shared/postgres/session/connection.ts";
import { targetFacts } from "../../../shared/postgres/properties/read-target-facts.ts";
import { plainDatabase, settingsOf } from "../../support/postgres-adapter.ts";
import { sharedServer, type TestServer } from "../../support/postgres.ts";

describe("what the server says of a database that a manifest notes and that is gone", () => {
  const role = `noted_${process.pid}`;
  let server: TestServer;

  before(async () => {
    server = await sharedServer();
    await server.query("postgres", `CREATE ROLE ${role} CREATEDB`);
  });

  after(() => server.query("postgres", `DROP ROLE ${role}`));

  async function factsOf(
    properties: Partial<DatabaseProperties>,
    settings: Settings = {},
    database = "there is none",
  ) {
    const client = await connect(settingsOf(server), "postgres", new AbortController().signal);
    const noted = { properties: { ...plainDatabase, ...properties } as DatabaseProperties, settings };
    try {
      await client.query(`SET ROLE ${role}`);
      const request = { database, target: "there is none", needs: NO_NEEDS, noted };
      return await targetFacts(client, request);
    } finally {
      await client.end();
    }
  }

  it("finds nothing where the server can make it so", async () => {
    const { missingLocales, missing, forbiddenOwner, forbiddenSettings, impossibleSettings } = await factsOf(
      { owner: role },
      { TimeZone: "America/Vancouver", lc_monetary: "C", "app.x": "y", a_setting_of_old: "gone" },
    );

    assert.deepEqual(
      [missingLocales, forbiddenOwner, forbiddenSettings, impossibleSettings],
      [[], [], [], []],
    );
    assert.deepEqual(missing, { roles: [], extensions: [], tablespaces: [] });
  });

  for (const [what, properties, key, names] of [
    ["a locale", { collate: "tlh_QO.utf8" }, "missingLocales", ["tlh_QO.utf8"]],
    [
      "a provider",
      { localeProvider: "builtin", locale: "C.UTF-8" },
      "missingLocales",
      ["C.UTF-8 of builtin"],
    ],
    ["an owner of others", {}, "forbiddenOwner", ["postgres"]],
    [
      "a setting for superusers",
      { owner: role, settings: [{ name: "log_statement", value: "all" }] },
      "forbiddenSettings",
      ["log_statement"],
    ],
  ] as const)
    it(`names ${what}`, async (test) => {
      if (what === "a provider" && server.major >= 17) return test.skip("this server has it");
      const facts = await factsOf(properties as Partial<DatabaseProperties>);

      assert.deepEqual(facts[key], names);
    });

  it("names the owner of a database that is there, where the role may act for it or become it alone", async () => {
    const owner = `${role}_owner`;
    const database = await server.createDatabase();
    await server.query("postgres", `CREATE ROLE ${owner}; ALTER DATABASE "${database}" OWNER TO ${owner}`);
    const forbidden = async (sql: string) => {
      await server.query("postgres", sql);
      return (await factsOf({}, {}, database)).forbiddenOwner;
    };
    try {
      const halves =
        server.major < 16
          ? [`ALTER ROLE ${role} NOINHERIT; GRANT ${owner} TO ${role}`]
          : ["INHERIT FALSE, SET TRUE", "INHERIT TRUE, SET FALSE"].map(
              (by) => `GRANT ${owner} TO ${role} WITH ${by}`,
            );

      for (const sql of halves) assert.deepEqual(await forbidden(sql), [owner], sql);
      const whole = `ALTER ROLE ${role} INHERIT; GRANT ${owner} TO ${role}`;
      assert.deepEqual(
        await forbidden(server.major < 16 ? whole : `${whole} WITH INHERIT TRUE, SET TRUE`),
        [],
      );
    } finally {
      await server.dropDatabase(database);
      await server.query("postgres", `DROP ROLE ${owner}`);
    }
  });

  it("names roles and tablespaces that are missing, also those that only its settings and grants need", async () => {
    const { missing } = await factsOf({
      owner: "no_owner",
      tablespace: "no_space",
      settings: [{ role: "no_role", name: "work_mem", value: "8MB" }],
      grants: [{ grantee: "no_grantee", privilege: "CONNECT", grantable: false }],
    });

    assert.deepEqual(missing.roles, ["no_grantee", "no_owner", "no_role"]);
    assert.deepEqual(missing.tablespaces, ["no_space"]);
  });

  it("names settings under which the dump was written and that it cannot take", async () => {
    const { impossibleSettings } = await factsOf(
      {},
      { lc_monetary: "tlh_QO.utf8", TimeZone: "Atlantis/Center", default_text_search_config: "public.mine" },
    );

    assert.deepEqual(impossibleSettings, ["lc_monetary = tlh_QO.utf8", "TimeZone = Atlantis/Center"]);
  });

  it("names settings of a database that it does not take, and asks for no right to them", async () => {
    const settings = [
      { name: "a_setting_of_old", value: "on" },
      { name: "TimeZone", value: "Atlantis/Center" },
      { role, name: "lc_monetary", value: "tlh_QO.utf8" },
      { name: "default_text_search_config", value: "public.mine" },
      { name: "temp_tablespaces", value: "none" },
      { name: "datestyle", value: "German" },
      { name: "app.tenant", value: "north" },
    ];

    const { refusedSettings, forbiddenSettings } = await factsOf({ owner: role, settings });

    assert.deepEqual(refusedSettings, [
      "a_setting_of_old = on",
      "TimeZone = Atlantis/Center",
      `lc_monetary = tlh_QO.utf8 of role ${role}`,
    ]);
    assert.deepEqual(forbiddenSettings, ["app.tenant"]);
  });

  it("names extensions that it makes in another version", async () => {
    const extensions = [
      { name: "hstore", version: "0.1" },
      { name: "plpgsql", version: "0.1" },
      { name: "no_extension", version: "1" },
    ];
    const client = await connect(settingsOf(server), "postgres", new AbortController().signal);
    try {
      const request = {
        database: "none",
        target: "none",
        needs: NO_NEEDS,
        noted: { content: { extensions } },
      };
      const { otherVersions } = await targetFacts(client, request);

      assert.match(otherVersions.join(), /^hstore \d[\d.]* instead of 0\.1$/);
    } finally {
      await client.end();
    }
  });

  it("names settings that its sessions cannot be given, in the encoding of the database or by their size", async () => {
    const settings = {
      "app.tenant": "größe",
      "app.größe": "x",
      "app.long": "y".repeat(9_000),
      "app.lost": "gr\ufffd",
      "app.plain": "a b",
    };
    const named = async (encoding: string) => (await factsOf({ encoding }, settings)).uncarriedSettings;

    assert.deepEqual(await named("UTF8"), ["app.long", "app.lost"]);
    assert.deepEqual(await named("LATIN1"), ["app.tenant", "app.größe", "app.long", "app.lost"]);
  });
});
