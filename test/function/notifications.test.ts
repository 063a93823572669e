import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import type { Run } from "../../shared/run/run.ts";
import { setStage, type Stage, until } from "../support/faulty.ts";

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** A webhook, and what it was sent. */
async function webhook(answer: Answer) {
  const received: string[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => (body += text));
    request.on("end", () => {
      received.push(body);
      answer(request, response);
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks/secret`,
    received,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** pg_dump of no server: each backup fails. */
const FAILING = { POSTGRESQL_PASSWORD: "wrong" };

async function latestRun(stage: Stage, changes: Readonly<Record<string, string>>): Promise<Run> {
  await using backup = await stage.start({ ...FAILING, ...changes });
  const { runs } = (await (await backup.get("/runs")).json()) as { runs: Run[] };
  const [run] = runs;
  return run ?? assert.fail("no run");
}

describe("the notifications of a run", () => {
  it("that no receiver takes is a step of the run, which stays as it ended", async () => {
    await using stage = await setStage();
    await using refusing = await webhook((_, response) => void response.writeHead(403).end());
    await using backup = await stage.start({
      ...FAILING,
      NOTIFY_URL: refusing.url,
      K_SINK: "http://127.0.0.1:9/",
    });

    assert.equal((await backup.post()).status, 500);
    await backup.logged("run failed");

    const run = await latestRun(stage, {});
    assert.equal(run.state, "failed");
    assert.equal(run.untold, undefined);
    const [step] = run.steps.filter(({ step: name }) => name === "notification_failed");
    assert.match(String(step?.detail?.["error"]), /127\.0\.0\.1:\d+: status 403$/);
    const report = await (await backup.get("/doctor")).text();
    assert.match(report, /"check":"telling","state":"warning","detail":"run backup-\w+: [^"]*status 403/);
    assert.doesNotMatch(JSON.stringify([run, report, backup.lines]), /hooks\/secret/);
  });

  it("are sent by the next process if the first is killed after the work", async () => {
    await using stage = await setStage();
    const { promise: asked, resolve } = Promise.withResolvers<void>();
    let isOpen = false;
    await using receiver = await webhook((_, response) => {
      resolve();
      if (isOpen) response.end();
    });
    const telling = { ...FAILING, NOTIFY_URL: receiver.url };
    {
      await using backup = await stage.start(telling);
      assert.equal((await backup.post()).status, 500);
      await asked;
      await backup.end("SIGKILL");
    }
    isOpen = true;

    await using next = await stage.start(telling);
    await until(() => receiver.received.length >= 2);

    for (const body of receiver.received) assert.match(body, /backup of .* failed/);
    await until(async () => {
      const { runs } = (await (await next.get("/runs")).json()) as { runs: Run[] };
      return runs[0]?.state === "failed" && runs[0].untold === undefined;
    });
  });
});
