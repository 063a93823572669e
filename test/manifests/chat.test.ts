import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { parseAllDocuments } from "yaml";
import { RULES } from "../../shared/events/notify/message-rules.ts";
import { until } from "../support/faulty.ts";
import { freePort } from "../support/postgres.ts";

const CHAT = "manifests/components/broker/chat.mjs";
const BROKER = "manifests/components/broker/broker.yaml";

type Trigger = {
  readonly kind: string;
  readonly spec: {
    readonly filter: { readonly attributes: { readonly type: string } };
    readonly subscriber: { readonly ref: { readonly name: string } };
  };
};

/** What a pod of the namespace hets-prod reads. */
const RESOLVER = `import fs from "node:fs"; import { syncBuiltinESMExports } from "node:module";
const read = fs.readFileSync;
fs.readFileSync = (path, ...more) => path !== "/etc/resolv.conf" ? read(path, ...more)
  : "nameserver 10.96.0.10\\nsearch hets-prod.svc.cluster.local svc.cluster.local cluster.local\\n";
syncBuiltinESMExports();`;
const IN_POD = `--import=data:text/javascript,${encodeURIComponent(RESOLVER)}`;

describe("the example of a chat", () => {
  it("gets each event of which people get a message because something is wrong", async () => {
    const documents = parseAllDocuments(await readFile(BROKER, "utf8"));
    const triggers = documents.map((each) => each.toJS() as Trigger).filter(({ kind }) => kind === "Trigger");
    const sent = triggers
      .filter(({ spec }) => spec.subscriber.ref.name === "dormouse-chat")
      .map(({ spec }) => spec.filter.attributes.type);
    const wrong = Object.entries(RULES).filter(
      ([type, { when }]) => when === "daily" || type.endsWith(".rolledback"),
    );

    assert.deepEqual(
      sent.toSorted(),
      // Of a run over several databases each that failed has an event of its own.
      wrong
        .map(([type]) => type)
        .filter((type) => type !== "dev.dormouse.backup.swept")
        .toSorted(),
    );
  });

  const cases: readonly (readonly [type: string, data: object, said: RegExp])[] = [
    ["backup.failed", { problem: { message: "no server", hint: "start it" } }, /\n> no server\nstart it$/],
    ["backup.suspect", { suspicion: { detail: "table t is gone" } }, /\n> table t is gone\n$/],
    ["backup.stale", { staleness: { detail: "it is 59 hours old" } }, /\n> it is 59 hours old\n$/],
    ["mirror.failed", { problem: { message: "no bucket" }, lacking: ["a"] }, /\n> no bucket\n$/],
    ["cull.failed", { place: "bucket", problem: { message: "no answer" } }, /\n> no answer\n$/],
    ["restore.rolledback", { problem: { message: "rows differ", hint: "look" } }, /\n> rows differ\nlook$/],
    ["rehearsal.stale", { staleness: { detail: "30 days ago" } }, /\n> 30 days ago\n$/],
    ["restore.completed", { strategy: "swap" }, /for hets in HETS production, namespace hets-prod$/],
  ];
  for (const [type, data, said] of cases) {
    it(`says what ${type} is about`, async () => {
      const messages: string[] = [];
      const webhook = createServer((request, response) => {
        void text(request).then((body) => {
          messages.push((JSON.parse(body) as { readonly text: string }).text);
          response.end();
        });
      }).listen(0, "127.0.0.1");
      await once(webhook, "listening");
      const port = await freePort();
      const WEBHOOK_URL = `http://127.0.0.1:${portOf(webhook.address())}/`;
      const chat = spawn(process.execPath, [IN_POD, CHAT], {
        env: { WEBHOOK_URL, PORT: `${port}`, ENVIRONMENT_FRIENDLY_NAME: "HETS production" },
        stdio: "inherit",
      });
      const send = () =>
        fetch(`http://127.0.0.1:${port}/`, {
          method: "POST",
          headers: { "ce-type": `dev.dormouse.${type}`, "ce-subject": "hets" },
          body: JSON.stringify(data),
        });

      await until(() =>
        send().then(
          ({ status }) => status === 202,
          () => false,
        ),
      );

      chat.kill("SIGKILL");
      webhook.closeAllConnections();
      webhook.close();
      assert.match(messages[0] ?? "", said);
      assert.ok(messages[0]?.startsWith(`:chipmunk: *dev.dormouse.${type}*`));
    });
  }
});

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === "string") throw new Error("not listening");
  return address.port;
}
