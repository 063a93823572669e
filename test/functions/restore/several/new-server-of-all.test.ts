import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { execa } from "execa";
import type { BackupManifest } from "../../../../shared/catalog/manifest.ts";
import { backupEnvironment, restoreEnvironment, startFunction } from "../../../support/function-process.ts";
import { databaseOfManyRoles, type ManyRoles } from "../../../support/many-roles.ts";
import { sharedServer, startPostgres, type OwnServer, type TestServer } from "../../../support/postgres.ts";
import { temporaryFolder, type Removed } from "../../../support/volume.ts";

describe("a new server on which none of several databases is", () => {
  let server: TestServer;
  let all: readonly ManyRoles[];
  let volume: Removed;
  let originals: readonly unknown[];

  before(async () => {
    server = await sharedServer();
    all = [await databaseOfManyRoles(server), await databaseOfManyRoles(server)];
    volume = await temporaryFolder();
    await using backup = await startFunction("backup", of(backupEnvironment(server, "", volume.path)));
    const answer = await backup.post();
    assert.equal(answer.status, 200, await answer.text());
    originals = await lookAtAll(server, "");
  });

  after(async () => {
    for (const each of all) await each[Symbol.asyncDispose]();
    await volume[Symbol.asyncDispose]();
  });

  function of(environment: Readonly<Record<string, string>>) {
    const names = JSON.stringify(all.map(({ database }) => database));
    return { ...environment, POSTGRESQL_DATABASES: names };
  }

  async function lookAtAll(where: TestServer, suffix: string): Promise<readonly unknown[]> {
    return Promise.all(all.map((each) => each.lookAt(where, `${each.database}${suffix}`)));
  }

  it("has all by createRoles from the volume alone", async () => {
    await using empty = await startPostgres();
    await using restore = await startFunction("restore", of(restoreEnvironment(empty, "", volume.path)));

    for (const { database } of all) {
      const answer = await restore.post({ filename: "latest", database, createRoles: true });
      assert.equal(answer.status, 200, await answer.text());
    }

    assert.deepEqual(await lookAtAll(empty, ""), originals);
  });

  it("has all by the commands of the manifests alone", async () => {
    await using empty = await startPostgres();

    for (const { database } of all) await byHand(empty, await manifestOf(database));

    assert.deepEqual(await lookAtAll(empty, "_restored"), originals);
  });

  async function manifestOf(database: string): Promise<BackupManifest> {
    await using restore = await startFunction("restore", of(restoreEnvironment(server, "", volume.path)));
    const { backups } = (await (await restore.get("/")).json()) as {
      backups: readonly { name: string; database: string }[];
    };
    const name = backups.find((backup) => backup.database === database)?.name ?? "";
    return JSON.parse(await readFile(join(volume.path, `${name}.json`), "utf8")) as BackupManifest;
  }

  async function byHand(empty: OwnServer, { restoreByHand }: BackupManifest): Promise<void> {
    const { host, port, user, password, binDir } = empty;
    const login = { PGHOST: host, PGPORT: `${port}`, PGUSER: user, PGPASSWORD: password };
    const env = { PATH: `${binDir}:${process.env["PATH"]}`, ...login };
    await execa("sh", ["-c", restoreByHand], { cwd: volume.path, env });
  }
});
