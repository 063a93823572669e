import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { countBackups } from "./support/events.ts";
import { eventually } from "./support/kubectl.ts";
import { install, type Installation } from "./support/namespace.ts";
import { nodePod } from "./support/pods.ts";

const SECRET = "a-secret-path";
/** Prints what it is sent. */
const RECEIVER = `
require("node:http").createServer((request, response) => {
  let body = "";
  request.on("data", (chunk) => (body += chunk)).on("end", () => {
    console.log(JSON.stringify({ url: request.url, body: JSON.parse(body) }));
    response.end();
  });
}).listen(8080);`;

describe("the functions with a broker", () => {
  let dormouse: Installation;
  before(async () => {
    dormouse = await install("broker", {
      overlay: "broker",
      settings: {
        "dormouse-settings": ["NUM_BACKUPS=1"],
        "dormouse-database-settings": ["RETRY_SECONDS=1"],
      },
      beforehand: receiver(),
    });
    await dormouse.kubectl("wait --for=condition=Ready pod/receiver --timeout=180s");
    await dormouse.kubectl("wait --for=condition=Ready broker,trigger,sinkbinding --all --timeout=300s");
    await dormouse.sql("CREATE TABLE item AS SELECT g AS id FROM generate_series(1, 1000) g");
  });
  after(() => dormouse?.[Symbol.asyncDispose]());

  it("cull when a backup is completed", async () => {
    for (const label of ["one", "two"]) {
      const { status, body } = await dormouse.call("dormouse-backup", { method: "POST", body: { label } });
      assert.equal(status, 200, body);
    }

    await eventually("one backup of two", async () => (await countBackups(dormouse)) === 1);
  });

  it("make a chat message of a backup that failed", async () => {
    await dormouse.kubectl("scale statefulset postgresql --replicas=0");
    await dormouse.kubectl("wait --for=delete pod/postgresql-0 --timeout=120s");

    const { status, body } = await dormouse.call("dormouse-backup", { method: "POST", body: {} });

    assert.ok(status >= 400, body);
    const [message] = await eventually("the message", async () => {
      const printed = await dormouse.kubectl("logs receiver");
      return printed !== "" && printed.split("\n");
    });
    const sent = JSON.parse(String(message)) as { readonly url: string; readonly body: { text: string } };
    assert.equal(sent.url, `/${SECRET}`);
    const [heading, reason = ""] = sent.body.text.split("\n");
    const where = `in namespace ${dormouse.namespace}`;
    assert.equal(heading, `:chipmunk: *dev.dormouse.backup.failed* for hets ${where}`);
    assert.match(reason, /^> .+/);
  });
});

function receiver(): readonly object[] {
  return [
    {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "dormouse-chat" },
      stringData: { WEBHOOK_URL: `http://receiver:8080/${SECRET}` },
    },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "receiver" },
      spec: { selector: { app: "receiver" }, ports: [{ port: 8080 }] },
    },
    nodePod("receiver", RECEIVER, 8080),
  ];
}
