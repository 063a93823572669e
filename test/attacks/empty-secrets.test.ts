import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { backupConfig } from "../../functions/backup/config.ts";
import { cullConfig } from "../../functions/cull/config.ts";
import { restoreConfig } from "../../functions/restore/config.ts";
import { describeConfig, readConfig, type ConfigSchema } from "../../shared/config/config.ts";

const SCHEMAS: Readonly<Record<string, ConfigSchema>> = {
  backup: backupConfig,
  cull: cullConfig,
  restore: restoreConfig,
};

describe("a file that holds nothing", () => {
  for (const [name, schema] of Object.entries(SCHEMAS)) {
    const files = describeConfig(schema).flatMap((row) =>
      row.isSecret ? [`${row.name}_FILE`] : row.isFile ? [row.name] : [],
    );

    it(`turns no protection of ${name} off: it is a mistake at start, by each of ${files.length} variables`, () => {
      assert.ok(files.includes("KUBECONFIG") && files.includes("S3_CA_FILE"));
      for (const file of files) {
        for (const content of ["", "\n", "\r\n", " \n", "\n\n"]) {
          assert.throws(
            () => readConfig(schema, { [file]: "/secret" }, () => content),
            new RegExp(`[:;] ${file} names /secret, which is empty`),
            JSON.stringify(content),
          );
        }
      }
    });

    it(`and one that is not there, is a mistake of ${name} as well`, () => {
      for (const file of files) {
        const missing = () => {
          throw new Error("ENOENT");
        };
        assert.throws(
          () => readConfig(schema, { [file]: "/secret" }, missing),
          new RegExp(`[:;] ${file} names /secret, which cannot be read`),
        );
      }
    });
  }

  it("is meant for the keys that protect a restore", () => {
    const names = describeConfig(restoreConfig)
      .filter(({ isFile, isSecret }) => isFile === true || isSecret === true)
      .map((row) => row.name);

    for (const name of ["MANIFEST_PUBLIC_KEY", "MANIFEST_SIGNING_KEY", "AGE_IDENTITY_FILE", "PGSSLROOTCERT"])
      assert.ok(names.includes(name), name);
  });
});
