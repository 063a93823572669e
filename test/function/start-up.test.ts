import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { spawnFunction, startFunction } from "../support/function-process.ts";
import { temporaryFolder } from "../support/volume.ts";

const SECRET = "correct horse battery staple";

describe("the start of the backup function", () => {
  const given = (changes: Readonly<Record<string, string>>) => ({
    PATH: process.env["PATH"] ?? "",
    DATABASE_SERVICE_NAME: "127.0.0.1",
    POSTGRESQL_USER: "u",
    POSTGRESQL_PASSWORD: SECRET,
    POSTGRESQL_DATABASE: "d",
    AUTH: "none",
    PORT: "0",
    ...changes,
  });

  async function refused(changes: Readonly<Record<string, string>>): Promise<string> {
    await using backup = spawnFunction("backup", given(changes));
    const line = await backup.logged("start-up failed");
    assert.equal(await backup.ended, 1);
    assert.equal(line["code"], "configuration_invalid");
    assert.doesNotMatch(JSON.stringify(backup.lines), new RegExp(SECRET));
    return String(line["error"]);
  }

  for (const value of ["0", "-1", "abc", "31.5", "1e2"]) {
    it(`refuses NUM_BACKUPS=${value}`, async () => {
      await using folder = await temporaryFolder();
      assert.match(
        await refused({ BACKUP_DIR: folder.path, NUM_BACKUPS: value }),
        /NUM_BACKUPS is .*whole number/,
      );
    });
  }

  it("names every mistake at once", async () => {
    const error = await refused({
      PGPORT: "x",
      NUM_BACKUPS: "0",
      POSTGRESQL_DATABASE: "",
      PGSSLMODE: "maybe",
    });

    for (const name of ["PGPORT", "NUM_BACKUPS", "POSTGRESQL_DATABASE", "PGSSLMODE", "BACKUP_DIR"]) {
      assert.match(error, new RegExp(`${name} is`));
    }
  });

  it("refuses overrides for events that are no JSON", async () => {
    await using folder = await temporaryFolder();
    const error = await refused({ BACKUP_DIR: folder.path, K_SINK: "http://sink", K_CE_OVERRIDES: "{" });
    assert.match(error, /K_CE_OVERRIDES is "\{": it must be JSON/);
  });

  it("refuses a BACKUP_DIR that is missing or no folder", async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, "file");
    await writeFile(file, "");

    assert.match(await refused({ BACKUP_DIR: join(folder.path, "none") }), /BACKUP_DIR/);
    assert.match(await refused({ BACKUP_DIR: file }), /BACKUP_DIR/);
  });

  it("reads a secret from a file, but not from two places, and says which file it cannot read", async () => {
    await using folder = await temporaryFolder();
    const [backups, password] = [join(folder.path, "backups"), join(folder.path, "password")];
    await mkdir(backups);
    await writeFile(password, `${SECRET}\n`);
    const files = { BACKUP_DIR: backups, POSTGRESQL_PASSWORD_FILE: password };

    assert.match(await refused(files), /POSTGRESQL_PASSWORD and POSTGRESQL_PASSWORD_FILE are both set/);
    const missing = { ...files, POSTGRESQL_PASSWORD: "", POSTGRESQL_PASSWORD_FILE: "/nowhere" };
    assert.match(await refused(missing), /POSTGRESQL_PASSWORD_FILE names \/nowhere/);
    await using backup = await startFunction("backup", given({ ...files, POSTGRESQL_PASSWORD: "" }));
    assert.equal((await backup.get("/health/readiness")).status, 200);
  });
});
