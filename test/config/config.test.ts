import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { backupConfig } from "../../functions/backup/config.ts";
import { cullConfig } from "../../functions/cull/config.ts";
import { restoreConfig } from "../../functions/restore/config.ts";
import { readConfig, type ConfigSchema } from "../../shared/config/config.ts";

/** The first that a variable takes is given to it. */
const VALUES = [
  "none",
  "7",
  "true",
  "disable",
  "/folder",
  "http://host/",
  "AES256",
  "when-required",
  "UTC",
  "deployment/server",
  '{"extensions":{"a":"b"}}',
  "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
  "large-objects",
  "text",
];

const read = (schema: ConfigSchema, given: Readonly<Record<string, string>>) =>
  readConfig(schema, given, () => "content");

/** Whether the value is none of the mistakes. */
function takes(schema: ConfigSchema, name: string, value: string): boolean {
  try {
    read(schema, { [name]: value });
    return true;
  } catch (error) {
    return !new RegExp(`[:;] ${name} is `).test((error as Error).message);
  }
}

describe("the environment", () => {
  for (const [name, schema] of Object.entries({ backupConfig, cullConfig, restoreConfig })) {
    it(`may end each variable of ${name} in a line break, as Secrets and files do`, () => {
      // Which is set instead of another one.
      const names = Object.keys(schema._zod.def.shape).filter((each) => each !== "POSTGRESQL_DATABASES");
      const valued = names.map((each) => [each, VALUES.find((value) => takes(schema, each, value))] as const);
      const given = Object.fromEntries(
        valued.flatMap(([each, value]) => (value === undefined ? [] : [[each, value]])),
      );
      const expected = read(schema, given);

      for (const end of ["\n", "\r\n", "\n\n"]) {
        const ended = Object.fromEntries(
          Object.entries(given).map(([each, value]) => [each, `${value}${end}`]),
        );
        assert.deepEqual(read(schema, ended), expected);
      }
      const empty = Object.fromEntries(Object.keys(given).map((each) => [each, "\n"]));
      assert.throws(() => read(schema, empty), /BACKUP_DIR is not set/);
    });
  }

  it("may begin each variable, and each file of one, with a mark of byte order", () => {
    const given = { BACKUP_DIR: "\uFEFF/backups", AUTH: "none", NOTIFY_URL_FILE: "/hook" };

    const config = readConfig(cullConfig, given, () => "\uFEFFhttps://chat.example.org/hook\r\n");

    assert.equal(config.BACKUP_DIR, "/backups");
    assert.deepEqual(config.NOTIFY_URL, ["https://chat.example.org/hook"]);
  });

  it("refuses the name of a database that has more bytes than PostgreSQL keeps", () => {
    assert.equal(takes(backupConfig, "POSTGRESQL_DATABASE", "x".repeat(63)), true);
    assert.equal(takes(backupConfig, "POSTGRESQL_DATABASE", "日".repeat(21)), true);
    assert.equal(takes(backupConfig, "POSTGRESQL_DATABASE", "日".repeat(22)), false);
  });

  for (const [what, value] of [
    ["no JSON", "{"],
    ["a number", "5"],
    ["a list of extensions", '{"extensions":["a"]}'],
    ["a name with a hyphen", '{"extensions":{"my-team":"hets"}}'],
    ["a name beyond ASCII", '{"extensions":{"größe":"1"}}'],
    ["a value that is a list", '{"extensions":{"team":["hets"]}}'],
  ] as const) {
    it(`refuses overrides for events that are or have ${what}`, () => {
      assert.equal(takes(cullConfig, "K_CE_OVERRIDES", value), false);
    });
  }

  for (const value of ["{}", '{"extensions":null}', '{"extensions":{"Team":"hets","number":5,"is":true}}']) {
    it(`takes overrides like ${value}`, () => {
      assert.equal(takes(cullConfig, "K_CE_OVERRIDES", value), true);
    });
  }

  for (const value of ["https://chat.example.org:99999/hook", "ntfy+https://[::1/topic"]) {
    it(`refuses a webhook that can never be reached: ${value}`, () => {
      assert.equal(takes(backupConfig, "NOTIFY_URL", `https://chat.example.org/hook ${value}`), false);
    });
  }

  for (const name of ["HTTPS_PROXY", "HTTP_PROXY", "K_SINK"]) {
    it(`names a mistake in ${name}, and no password in it`, () => {
      const given = { BACKUP_DIR: "/backups", AUTH: "none", [name]: "proxy:s3cret@host:3128" };

      assert.throws(
        () => read(cullConfig, given),
        ({ message }: Error) => message.includes(`${name} is`) && !message.includes("s3cret"),
      );
    });
  }
});
