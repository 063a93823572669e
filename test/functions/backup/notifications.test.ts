import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import type { Run } from "../../../shared/run/run.ts";
import { backupEnvironment, startFunction } from "../../support/function-process.ts";
import { until } from "../../support/faulty.ts";
import { sharedServer } from "../../support/postgres.ts";
import { temporaryVolume } from "../../support/volume.ts";

async function startReceiver() {
  const received: string[] = [];
  const server = createServer((request, response) => {
    received.push(`${request.method} ${request.url}`);
    request.resume().on("end", () => response.writeHead(request.url === "/refuses" ? 500 : 200).end());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    received,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.dispose]: () => void server.close(),
  };
}

describe("a backup function that sends messages", () => {
  it("sends a failure to the chat and to the monitor, and a success to the monitor alone", async () => {
    const server = await sharedServer();
    const database = await server.createDatabase();
    await using volume = await temporaryVolume();
    using receiver = await startReceiver();
    const { url, received } = receiver;
    const environment = {
      ...backupEnvironment(server, database, volume.path),
      NOTIFY_URL: `${url}/chat\n${url}/refuses`,
      HEARTBEAT_URL: `${url}/check`,
    };
    await using backup = await startFunction("backup", environment);
    assert.equal((await backup.post()).status, 200);
    await until(() => Promise.resolve(received.length === 2));
    const good = received.splice(0);
    await server.dropDatabase(database);
    const answer = await backup.post();
    assert.notEqual(answer.status, 200);
    const { run } = (await answer.json()) as { run: string };
    const failedToSend = async () => {
      const { steps } = (await (await backup.get(`/runs/${run}`)).json()) as Run;
      return steps.find(({ step }) => step === "notification_failed");
    };
    // Chat and monitor are asked side by side.
    await until(async () => received.length === 5 && (await failedToSend()) !== undefined);
    const told = await failedToSend();

    assert.deepEqual(good, ["POST /check/start", "POST /check"]);
    assert.deepEqual(received.toSorted(), [
      "POST /chat",
      "POST /check/fail",
      "POST /check/start",
      "POST /refuses",
      "POST /refuses",
    ]);
    assert.match(
      String(told?.detail?.["error"]),
      /^message about .* not delivered.*127\.0\.0\.1:\d+: status 500$/,
    );
    assert.ok(!JSON.stringify(backup.lines).includes("/refuses"));
  });

  it("reports each of several databases alone, if the monitor's address names the database", async () => {
    const server = await sharedServer();
    const databases = [await server.createDatabase(), await server.createDatabase()];
    await using volume = await temporaryVolume();
    using receiver = await startReceiver();
    const { POSTGRESQL_DATABASE: _, ...environment } = backupEnvironment(server, "", volume.path);
    const POSTGRESQL_DATABASES = [...databases, "none_of_that_name"].join();
    const HEARTBEAT_URL = `${receiver.url}/of-{database}`;
    await using backup = await startFunction("backup", {
      ...environment,
      POSTGRESQL_DATABASES,
      HEARTBEAT_URL,
    });

    assert.equal((await backup.post()).status, 207);
    await backup.logged("run failed");
    await until(() => receiver.received.length >= 6);
    for (const database of databases) await server.dropDatabase(database);

    const good = databases.flatMap((each) => [`POST /of-${each}`, `POST /of-${each}/start`]);
    const failed = ["POST /of-none_of_that_name/fail", "POST /of-none_of_that_name/start"];
    assert.deepEqual(receiver.received.toSorted(), [...good, ...failed].toSorted());
  });
});
