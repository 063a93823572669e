import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { knownDatabase } from "../../functions/backup/handler.ts";
import { volumeCatalog } from "../../shared/catalog/volume/volume-catalog.ts";
import { until } from "../support/faulty.ts";
import { backupEnvironment, startFunction } from "../support/function-process.ts";
import { sharedServer } from "../support/postgres.ts";
import { settingsOf } from "../support/postgres-adapter.ts";
import { tcpProxy } from "../support/tcp-proxy.ts";
import { temporaryVolume } from "../support/volume.ts";

const MADE_UP = [
  "made up",
  "[click here](https://example.org) @all <!channel>",
  "\u001B[2J\r\nNews: all is well",
  "ä".repeat(63),
  "\uD800",
  "\0",
];

it("names of databases that a sender of events makes up leave no record and no message, where a pattern includes them", async () => {
  const server = await sharedServer();
  const database = await server.createDatabase();
  await using volume = await temporaryVolume();
  const { POSTGRESQL_DATABASE: _, ...environment } = backupEnvironment(server, database, volume.path);
  await using backup = await startFunction("backup", { ...environment, POSTGRESQL_DATABASES: "*" });
  const records = () => readdir(join(volume.path, ".dormouse", "runs"));

  const statuses = [];
  for (const name of MADE_UP) statuses.push((await backup.ping({ data: { database: name } })).status);

  assert.deepEqual(new Set(statuses), new Set([400]));
  assert.deepEqual(await records(), []);

  assert.equal((await backup.ping({ data: { database } })).status, 202);
  await until(async () => (await records()).length === 1);
  await backup.logged("run succeeded");
  await server.dropDatabase(database);
  assert.equal((await backup.ping({ data: { database } })).status, 202, "its own run says that it is gone");
});

it("a flood of made-up names opens one session to the server, and not one for each name", async () => {
  const server = await sharedServer();
  const database = await server.createDatabase();
  await using volume = await temporaryVolume();
  let connections = 0;
  await using proxy = await tcpProxy(server.port, () => {
    connections += 1;
    return { sent: () => true, answered: () => true };
  });
  const connection = settingsOf({ ...server, port: proxy.port }, { sslMode: "disable" });
  const isKnown = knownDatabase({ connection, catalog: volumeCatalog(volume.path) });

  const names = Array.from({ length: 100 }, (_, index) => `made up ${index}`);
  const found = await Promise.all([...names, database].map(isKnown));

  assert.deepEqual(found, [...names.map(() => false), true]);
  // Servers before 14 refuse the first, which asks for settings that they do not know.
  assert.equal(connections, server.major < 14 ? 2 : 1);
});
