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

describe("a backup function that tells people", () => {
  it("sends a failure to the chat and to the monitor, and a success to the monitor alone", async () => {
    const server = await sharedServer();
    const database = await server.createDatabase();
    await using volume = await temporaryVolume();
    const heard: string[] = [];
    const receiver = createServer((request, response) => {
      heard.push(`${request.method} ${request.url}`);
      request.resume().on("end", () => response.writeHead(request.url === "/refuses" ? 500 : 200).end());
    }).listen(0, "127.0.0.1");
    await once(receiver, "listening");
    const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
    const environment = {
      ...backupEnvironment(server, database, volume.path),
      NOTIFY_URL: `${url}/chat\n${url}/refuses`,
      HEARTBEAT_URL: `${url}/check`,
    };
    try {
      await using backup = await startFunction("backup", environment);
      assert.equal((await backup.post()).status, 200);
      await until(() => Promise.resolve(heard.length === 2));
      const good = heard.splice(0);
      await server.dropDatabase(database);
      const answer = await backup.post();
      assert.notEqual(answer.status, 200);
      const { run } = (await answer.json()) as { run: string };
      const failedToTell = async () => {
        const { steps } = (await (await backup.get(`/runs/${run}`)).json()) as Run;
        return steps.find(({ step }) => step === "notification_failed");
      };
      // Chat and monitor are asked side by side.
      await until(async () => heard.length === 5 && (await failedToTell()) !== undefined);
      const told = await failedToTell();

      assert.deepEqual(good, ["POST /check/start", "POST /check"]);
      assert.deepEqual(heard.toSorted(), [
        "POST /chat",
        "POST /check/fail",
        "POST /check/start",
        "POST /refuses",
        "POST /refuses",
      ]);
      assert.match(String(told?.detail?.["error"]), /^people were not told .*127\.0\.0\.1:\d+: status 500$/);
      assert.ok(!JSON.stringify(backup.lines).includes("/refuses"));
    } finally {
      receiver.close();
    }
  });
});
