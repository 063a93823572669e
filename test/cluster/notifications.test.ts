import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { alertsAfter } from "../support/alerts.ts";
import { whyNoGo } from "../support/go-program.ts";
import { eventually } from "./support/kubectl.ts";
import { install, type Installation } from "./support/namespace.ts";
import { nodePod } from "./support/pods.ts";

const skip = await whyNoGo();
type Sent = { readonly url: string; readonly body: string };

/** Prints what it is sent: to the chat, and to the Pushgateway. */
const RECEIVER = `
require("node:http").createServer((request, response) => {
  let body = "";
  request.on("data", (chunk) => (body += chunk)).on("end", () => {
    console.log(JSON.stringify({ url: request.url, body }));
    response.end();
  });
}).listen(8080);`;

describe("a backup that fails on the cluster", () => {
  let dormouse: Installation;
  before(async () => {
    dormouse = await install("telling", {
      settings: {
        "dormouse-settings": ["NOTIFY_URL=http://receiver:8080/hook", "PUSHGATEWAY_URL=http://receiver:8080"],
        "dormouse-database-settings": ["RETRY_SECONDS=1"],
      },
      beforehand: [
        {
          apiVersion: "v1",
          kind: "Service",
          metadata: { name: "receiver" },
          spec: { selector: { app: "receiver" }, ports: [{ port: 8080 }] },
        },
        nodePod("receiver", RECEIVER, 8080),
      ],
    });
    await dormouse.kubectl("wait --for=condition=Ready pod/receiver --timeout=180s");
    await dormouse.kubectl("scale statefulset postgresql --replicas=0");
    await dormouse.kubectl("wait --for=delete pod/postgresql-0 --timeout=120s");
  });
  after(() => dormouse?.[Symbol.asyncDispose]());

  const received = async (path: string): Promise<Sent> =>
    eventually(`what is sent to ${path}`, async () => {
      const printed = await dormouse.kubectl("logs receiver");
      const sent = printed.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Sent]));
      return sent.find(({ url }) => url.startsWith(path));
    });

  it("reaches a receiver, and its alert fires by what was pushed", { skip }, async () => {
    const { status, body } = await dormouse.call("dormouse-backup", { method: "POST", body: {} });
    assert.ok(status >= 400, body);

    const message = await received("/hook");
    assert.match(message.body, /backup of hets failed/);
    assert.ok(message.body.includes(`kubectl dormouse -n ${dormouse.namespace} run backup-`), message.body);

    const pushed = await received("/metrics/job/dormouse/");
    const firing = await alertsAfter(toSeries(pushed), new Date(), 1);
    assert.ok(firing.includes("RunFailed"), firing.join(", "));
  });
});

/** The pushed samples with the labels of their group, as a Pushgateway shows them. */
function toSeries({ url, body }: Sent): readonly string[] {
  const pairs = [...url.slice("/metrics".length).matchAll(/\/(\w+)\/([^/]+)/g)];
  const group = pairs.map(([, name, value]) => `${name}="${value}"`).join();
  return body.split("\n").flatMap((line) => {
    const [, name, labels, value] = /^(dormouse_\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    return name === undefined ? [] : [`${name}{${[group, ...(labels ? [labels] : [])].join()}} ${value}`];
  });
}
