import assert from "node:assert/strict";
import { createServer, request, type IncomingMessage, type Server } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { after, before, beforeEach, describe, it } from "node:test";
import { startConsole, type ConsoleProcess } from "../support/console.ts";

type Sent = { readonly method?: string; readonly headers?: Record<string, string>; readonly body?: string };
type Answered = {
  readonly status: number;
  readonly body: string;
  readonly headers: IncomingMessage["headers"];
};

/** What reaches a function through the console is what its own page asks for. */
describe("the console, asked by others than its page", () => {
  let fake: Server;
  let console: ConsoleProcess;
  let session: string;
  const reached: string[] = [];
  before(async () => {
    fake = createServer((asked, answer) => {
      reached.push(`${asked.method} ${asked.url}`);
      answer.writeHead(200, { "content-type": "application/json" }).end('{"runs":[]}');
    });
    fake.listen(0, "127.0.0.1");
    await once(fake, "listening");
    console = await startConsole(`backup=http://127.0.0.1:${(fake.address() as AddressInfo).port}`);
    const [, key = ""] = (await console.address()).split("#");
    const entered = await ask("/session", { method: "POST", body: JSON.stringify({ key }) });
    ({ session } = JSON.parse(entered.body) as { session: string });
  });
  after(async () => {
    await console?.[Symbol.asyncDispose]();
    fake?.close();
  });
  beforeEach(() => (reached.length = 0));

  /** As the page sends it, but for what is given. */
  async function ask(path: string, { method = "GET", headers = {}, body }: Sent = {}): Promise<Answered> {
    const { host, hostname, port, origin } = new URL(console.origin);
    const own = { host, origin, ...(session === undefined ? {} : { "x-dormouse-session": session }) };
    const asking = request({ host: hostname, port, path, method, headers: { ...own, ...headers } });
    asking.end(body);
    const [answer] = (await once(asking, "response")) as [IncomingMessage];
    return { status: answer.statusCode ?? 0, body: await text(answer), headers: answer.headers };
  }

  it("passes on what its page asks for", async () => {
    assert.equal((await ask("/functions/backup/runs")).status, 200);
    assert.equal((await ask("/functions/backup/", { method: "POST", body: '{"label":"x"}' })).status, 200);
    assert.deepEqual(reached, ["GET /runs", "POST /"]);
  });

  for (const [who, path, sent, status] of [
    [
      "another Host, as after DNS rebinding",
      "/functions/backup/runs",
      { headers: { host: "evil.example" } },
      403,
    ],
    ["the same port by another name", "/", { headers: { host: "localhost:80" } }, 403],
    ["another Origin", "/functions/backup/runs", { headers: { origin: "http://evil.example" } }, 403],
    ["another port of this machine", "/overview", { headers: { origin: "http://127.0.0.1:1" } }, 403],
    ["the origin null, of a sandboxed frame", "/overview", { headers: { origin: "null" } }, 403],
    ["a link of another site", "/", { headers: { "sec-fetch-site": "cross-site" } }, 403],
    ["no session", "/functions/backup/runs", { headers: { "x-dormouse-session": "" } }, 401],
    ["a guessed session", "/overview", { headers: { "x-dormouse-session": "A".repeat(43) } }, 401],
    ["no key", "/session", { method: "POST", body: "{}" }, 401],
    ["a guessed key", "/session", { method: "POST", body: '{"key":"AAAA"}' }, 401],
    ["a key that is no text", "/session", { method: "POST", body: '{"key":{"length":43}}' }, 401],
    ["the end, without a session", "/end", { method: "POST", headers: { "x-dormouse-session": "" } }, 401],
    [
      "a preflight",
      "/functions/backup/",
      { method: "OPTIONS", headers: { origin: "http://evil.example" } },
      403,
    ],
    [".. in the path", "/functions/backup/../restore/", {}, 404],
    [".. that is escaped", "/functions/backup/%2e%2e/runs", {}, 404],
    ["a path that is none of a function's", "/functions/backup/health/liveness", {}, 404],
    ["another host in the path", "/functions/backup//evil.example/", {}, 404],
    ["a whole address as the path", "http://evil.example/functions/backup/runs", {}, 404],
    ["a query", "/functions/backup/runs?x", {}, 404],
    ["a function that is none", "/functions/__proto__/runs", {}, 404],
    ["a property of every object", "/constructor", {}, 404],
    ["another method", "/functions/backup/", { method: "DELETE" }, 404],
  ] as const)
    it(`refuses ${who}`, async () => {
      const { status: answered, body } = await ask(path, sent);

      assert.equal(answered, status, body);
      assert.deepEqual(reached, []);
    });

  it("refuses a POST without an origin, and a body larger than a function takes", async () => {
    const { hostname, port, host } = new URL(console.origin);
    const headers = { host, "x-dormouse-session": session };
    const asking = request({ host: hostname, port, path: "/functions/backup/", method: "POST", headers });
    asking.end("{}");
    const [answer] = (await once(asking, "response")) as [IncomingMessage];

    assert.equal(answer.statusCode, 403);
    const large = await ask("/functions/backup/", {
      method: "POST",
      body: `{"label":"${"x".repeat(70_000)}"}`,
    });
    assert.equal(large.status, 502);
    assert.deepEqual(reached, []);
  });

  it("takes each key once, and shows the next one in the terminal", async () => {
    const [, next = ""] = (await console.address()).split("#");
    const enter = () => ask("/session", { method: "POST", body: JSON.stringify({ key: next }) });

    assert.equal((await enter()).status, 200);
    assert.equal((await enter()).status, 401);
  });

  it("lets a browser load nothing from elsewhere, run nothing inline, and keep nothing", async () => {
    const { headers, body } = await ask("/");

    assert.match(
      String(headers["content-security-policy"]),
      /default-src 'none'; script-src 'self'; style-src 'self'/,
    );
    assert.match(String(headers["content-security-policy"]), /frame-ancestors 'none'/);
    assert.equal(headers["cache-control"], "no-store");
    assert.equal(headers["set-cookie"], undefined);
    assert.doesNotMatch(body, /<script(?! type="module" src="\/page\.js">)|style=|https?:/);
  });

  it("ends when its page says so; a second tab finds nothing there", async () => {
    await using other = await startConsole("backup=http://127.0.0.1:1");
    const { hostname, port, host, origin } = new URL(other.origin);
    const [, key = ""] = (await other.address()).split("#");
    const post = async (path: string, more: Record<string, string>, body: string) => {
      const asking = request({
        host: hostname,
        port,
        path,
        method: "POST",
        headers: { host, origin, ...more },
      });
      asking.end(body);
      const [answer] = (await once(asking, "response")) as [IncomingMessage];
      return text(answer);
    };
    const own = (JSON.parse(await post("/session", {}, JSON.stringify({ key }))) as { session: string })
      .session;

    await post("/end", { "x-dormouse-session": own }, "{}");

    assert.equal(await other.ended, 0);
    await assert.rejects(post("/end", { "x-dormouse-session": own }, "{}"), { code: "ECONNREFUSED" });
  });

  it("ends with Ctrl-C, and says that runs go on", async () => {
    await using other = await startConsole("backup=http://127.0.0.1:1");

    assert.equal(await other.end("SIGINT"), 0);
    assert.match(other.said(), /has ended\. Runs go on/);
  });
});
