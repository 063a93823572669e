import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { cp } from "node:fs/promises";
import pg from "pg";
import type { BackupManifest } from "../../shared/catalog/manifest.ts";
import { backupEnvironment, manifestOf, startFunction } from "./function-process.ts";
import type { TestServer } from "./postgres.ts";
import { createSample } from "./sample-database.ts";
import { temporaryFolder, type Removed } from "./volume.ts";

/** A database with the sample in it, and a volume with one good backup of it. */
type BackedUp = {
  readonly database: string;
  /** The role that owns the database and everything in it; its password is its name. */
  readonly owner: string;
  readonly path: string;
  readonly backup: BackupManifest;
  [Symbol.asyncDispose](): Promise<void>;
};

export type GivenSample = {
  /** What is there before the backup is taken, besides the sample; by a superuser. */
  readonly prepare?: (server: TestServer, database: string) => Promise<unknown>;
  /** A volume that is there already. */
  readonly path?: string | undefined;
  /** What the database is called, where that matters. */
  readonly database?: string;
};

/** What a stage leaves for the next one: names, and its volume as it was at first. */
type Left = Pick<BackedUp, "database" | "owner" | "backup"> & {
  readonly server: TestServer;
  readonly volume: string;
};

/** To take the first backup costs as much as most tests do: the next test of this process gets that of an earlier one. */
const left: Left[] = [];

export async function backedUpSample(server: TestServer, given: GivenSample = {}): Promise<BackedUp> {
  const volume = given.path === undefined ? await temporaryFolder() : keptFolder(given.path);
  const isPlain = [given.prepare, given.path, given.database].every((each) => each === undefined);
  const { made, next } = isPlain
    ? await makePlain(server, volume.path)
    : { made: await make(server, volume.path, given), next: undefined };
  return {
    ...made,
    path: volume.path,
    async [Symbol.asyncDispose]() {
      await volume[Symbol.asyncDispose]();
      await remove(server, made);
      if (next !== undefined) left.push(next);
    },
  };
}

async function makePlain(server: TestServer, path: string) {
  const earlier = takeLeft(server);
  if (earlier !== undefined) return { made: await makeAgain(earlier, path), next: earlier };
  const made = await make(server, path, {});
  return { made, next: { ...made, server, volume: await copyArchive(path) } };
}

function keptFolder(path: string): Removed {
  return { path, [Symbol.asyncDispose]: () => Promise.resolve() };
}

function takeLeft(server: TestServer): Left | undefined {
  const index = left.findIndex((each) => each.server === server);
  return index < 0 ? undefined : left.splice(index, 1)[0];
}

async function make(server: TestServer, path: string, { prepare, database: name }: GivenSample) {
  const database = await server.createDatabase(name);
  const owner = `owner_${randomBytes(4).toString("hex")}`;
  await fill(server, database, owner);
  await prepare?.(server, database);
  return { database, owner, backup: await backUp(server, database, path) };
}

async function makeAgain({ server, database, owner, backup, volume }: Left, path: string) {
  await server.createDatabase(database);
  await fill(server, database, owner);
  await cp(volume, path, { recursive: true });
  return { database, owner, backup };
}

async function remove(server: TestServer, { database, owner }: Pick<Left, "database" | "owner">) {
  const sql = "SELECT datname FROM pg_database WHERE starts_with(datname, $1)";
  const { rows } = await server.query("postgres", sql, [database]);
  for (const { datname } of rows as { datname: string }[]) await server.dropDatabase(datname);
  await server.query("postgres", `DROP ROLE ${owner}`);
}

async function fill(server: TestServer, database: string, owner: string): Promise<void> {
  await server.query("postgres", `CREATE ROLE ${owner} LOGIN PASSWORD '${owner}' NOCREATEDB`);
  const sql = `ALTER DATABASE ${pg.escapeIdentifier(database)} OWNER TO ${owner}`;
  await server.query("postgres", sql);
  const client = await server.connect(database);
  // Of the owner of the database from 15 on.
  if (server.major < 15) await client.query(`ALTER SCHEMA public OWNER TO ${owner}`);
  await client.query(`SET ROLE ${owner}`);
  await createSample(client);
  await client.end();
}

async function backUp(server: TestServer, database: string, path: string): Promise<BackupManifest> {
  await using backup = await startFunction("backup", backupEnvironment(server, database, path));
  return await manifestOf(await backup.post({ label: "good" }));
}

async function copyArchive(path: string): Promise<string> {
  const copy = await temporaryFolder();
  await cp(path, copy.path, { recursive: true });
  process.once("exit", () => rmSync(copy.path, { recursive: true, force: true }));
  return copy.path;
}
