import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { BackupManifest } from "../../shared/catalog/manifest.ts";
import type { FunctionProcess } from "../support/function-process.ts";
import { setRestoreStage, type RestoreStage } from "../support/restore-stage.ts";

const INTRUDER = "CREATE ROLE intruder SUPERUSER";
/** Ends whatever it stands in: a word, an identifier, a text of either kind, one between dollars. */
const HOSTILE = ["CONNECT ON DATABASE postgres TO PUBLIC", 'x"', "x'", "\\'", "$roles$"]
  .map((end) => `${end}; ${INTRUDER}; --`)
  .join(" ");

type Properties = NonNullable<BackupManifest["properties"]>;
const FORGED: Readonly<Record<string, (text: string, own: Properties) => object>> = {
  "a privilege": (privilege) => ({ properties: { grants: [{ privilege, grantable: false }] } }),
  "the provider of its locale": (localeProvider) => ({ properties: { localeProvider, locale: "C" } }),
  "its encoding": (encoding) => ({ properties: { encoding } }),
  "its collation": (collate) => ({ properties: { collate } }),
  "its comment": (comment) => ({ properties: { comment } }),
  "its tablespace": (tablespace) => ({ properties: { tablespace } }),
  "the name of a setting": (name) => ({ properties: { settings: [{ name, value: "1" }] } }),
  "the value of a setting": (value) => ({ properties: { settings: [{ name: "forged.by", value }] } }),
  "the name of a setting of the load": (name) => ({ settings: { [name]: "1" } }),
  "the value of a setting of the load": (value) => ({ settings: { "forged.by": value } }),
  "its owner, and the role of that name": (owner) => ({ properties: { owner }, roles: [aRole(owner, {})] }),
  "an attribute of a role": (text, { owner }) => ({
    properties: { owner: "forged" },
    roles: [aRole("forged", { attributes: [text], memberOf: [{ role: owner, admin: false }] })],
  }),
  "what a role is a member of": (role) => ({
    properties: { owner: "forged" },
    roles: [aRole("forged", { memberOf: [{ role, admin: true }] })],
  }),
  "until when a role's password is good": (validUntil) => ({
    properties: { owner: "forged" },
    roles: [aRole("forged", { validUntil })],
  }),
  "a setting of a role": (text) => ({
    properties: { owner: "forged" },
    roles: [aRole("forged", { settings: [{ name: `forged.${text}`, value: text }] })],
  }),
};

function aRole(name: string, changes: object) {
  return { name, attributes: [], connectionLimit: -1, memberOf: [], settings: [], ...changes };
}

describe("SQL in a manifest that a writer to the volume has forged", () => {
  let stage: RestoreStage;
  let restore: FunctionProcess;
  before(async () => {
    stage = await setRestoreStage();
    restore = await stage.start();
    // What it is made like is then the manifest's word.
    await stage.server.dropDatabase(stage.database);
  });
  after(() => stage[Symbol.asyncDispose]());

  for (const [what, forge] of Object.entries(FORGED))
    it(`is not run as ${what}`, async () => {
      const own = stage.backup.properties ?? assert.fail();
      const forged = forge(HOSTILE, own) as Partial<BackupManifest>;
      const manifest = { ...stage.backup, ...forged, properties: { ...own, ...forged.properties } };
      await writeFile(join(stage.path, `${stage.backup.name}.json`), JSON.stringify(manifest));
      const into = `${stage.database}_copy`;

      const answer = await restore.post({ filename: stage.backup.name, into, createRoles: true });

      const said = await answer.text();
      const sql = "SELECT FROM pg_roles WHERE rolname = 'intruder'";
      const { rowCount: intruders } = await stage.query("postgres", sql);
      await stage.query("postgres", "DROP ROLE IF EXISTS intruder");
      await stage.server.dropDatabase(into);
      assert.equal(intruders, 0, said);
      assert.ok([200, 404, 422, 500].includes(answer.status), said);
    });
});
