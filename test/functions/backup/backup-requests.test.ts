import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { backupEnvironment, startFunction, type FunctionProcess } from "../../support/function-process.ts";
import { sharedServer, type TestServer } from "../../support/postgres.ts";
import { temporaryFolder, type Removed } from "../../support/volume.ts";

const JSON_BODY = { "content-type": "application/json" };
const PING = {
  "ce-id": "1",
  "ce-source": "/s",
  "ce-type": "dev.knative.sources.ping",
  "ce-specversion": "1.0",
};

describe("requests of the backup function", () => {
  let server: TestServer;
  let database: string;
  let volume: Removed;
  let backup: FunctionProcess;

  before(async () => {
    server = await sharedServer();
    database = await server.createDatabase();
    volume = await temporaryFolder();
    backup = await startFunction("backup", backupEnvironment(server, database, volume.path));
  });

  after(async () => {
    await backup[Symbol.asyncDispose]();
    await volume[Symbol.asyncDispose]();
    await server.dropDatabase(database);
  });

  const inJson = (body: string): RequestInit => ({ method: "POST", headers: JSON_BODY, body });

  const mistakes: readonly (readonly [string, RequestInit, number, string, RegExp])[] = [
    ["broken JSON", inJson("{"), 400, "request_invalid", /JSON/],
    ["a field too many", inJson('{"lable":"x"}'), 400, "request_invalid", /lable/],
    ["a field misspelt", inJson('{"lable":"x"}'), 400, "request_invalid", /nearest is \\"label/],
    [
      "a field of another type",
      inJson('{"label":7}'),
      400,
      "request_invalid",
      /label\\" is 7: it must be text of 1 to 200/,
    ],
    [
      "a field too long",
      inJson(`{"label":"${"x".repeat(300)}"}`),
      400,
      "request_invalid",
      /label\\" is text of 300/,
    ],
    [
      "a wrong choice",
      inJson('{"pin":[]}'),
      400,
      "request_invalid",
      /pin\\" is a list: it must be true, false/,
    ],
    [
      "a wrong duration",
      inJson('{"ifOlderThan":"1 day"}'),
      400,
      "request_invalid",
      /ifOlderThan\\" is \\"1 day\\": it must be a number with s/,
    ],
    ["a list", inJson("[]"), 400, "request_invalid", /body is a list: it must be a JSON object/],
    ["too much", inJson(`"${"x".repeat(70_000)}"`), 413, "body_too_large", /64 KiB/],
    [
      "text",
      { method: "POST", headers: { "content-type": "text/plain" }, body: "hello" },
      415,
      "media_type_unsupported",
      /application\/json/,
    ],
    [
      "an unknown Content-Encoding",
      {
        method: "POST",
        headers: { "content-type": "application/json", "content-encoding": "zip" },
        body: "{}",
      },
      415,
      "media_type_unsupported",
      /zip/,
    ],
    [
      "an unknown charset",
      { method: "POST", headers: { "content-type": "application/json; charset=klingon" }, body: "{}" },
      415,
      "media_type_unsupported",
      /klingon/i,
    ],
    [
      "a bad key",
      { method: "POST", headers: { "idempotency-key": "two words" } },
      400,
      "request_invalid",
      /Idempotency-Key/i,
    ],
    ["DELETE", { method: "DELETE" }, 405, "method_not_allowed", /DELETE/],
  ];
  for (const [what, request, status, code, says] of mistakes) {
    it(`answers ${what} with ${status}, says what is wrong and changes nothing`, async () => {
      const before = await readdir(volume.path, { recursive: true });

      const response = await fetch(backup.url, request);
      const problem = (await response.json()) as Record<string, unknown>;

      assert.equal(response.status, status);
      assert.equal(response.headers.get("content-type"), "application/problem+json; charset=utf-8");
      assert.equal(problem["code"], code);
      assert.match(JSON.stringify(problem), says);
      assert.match(String(problem["hint"]), /\w+ \w+/);
      assert.deepEqual(await readdir(volume.path, { recursive: true }), before);
    });
  }

  it("says which methods there are when it refuses one", async () => {
    const allowed = async (path: string) => {
      const response = await fetch(new URL(path, backup.url), { method: "DELETE" });
      return [response.status, response.headers.get("allow")];
    };

    assert.deepEqual(await allowed("/"), [405, "GET, HEAD, POST"]);
    assert.deepEqual(await allowed("/doctor"), [405, "GET, HEAD, POST"]);
    assert.deepEqual(await allowed("/runs/backup-0"), [405, "GET, HEAD"]);
  });

  const { "ce-id": _, ...withoutId } = PING;
  const badEvents: readonly (readonly [string, Record<string, string>, number])[] = [
    ["without an id", withoutId, 400],
    ["with an empty id", { ...PING, "ce-id": "" }, 400],
    ["of another version", { ...PING, "ce-specversion": "9" }, 400],
    ["of another type", { ...PING, "ce-type": "other" }, 422],
    ["with a broken time", { ...PING, "ce-time": "yesterday" }, 400],
    ["in a batch", { "content-type": "application/cloudevents-batch+json" }, 400],
  ];
  for (const [what, headers, status] of badEvents) {
    it(`refuses an event ${what} for good, without a body, and changes nothing`, async () => {
      const before = await readdir(volume.path, { recursive: true });

      const batch = what === "in a batch" ? { body: JSON.stringify([{ specversion: "1.0", id: "1" }]) } : {};
      const response = await fetch(backup.url, { method: "POST", headers, ...batch });

      assert.equal(response.status, status);
      assert.equal(await response.text(), "");
      assert.deepEqual(await readdir(volume.path, { recursive: true }), before);
    });
  }

  it("keeps connections open for longer than the proxies of Knative reuse them", async () => {
    const response = await fetch(`${backup.url}/health/liveness`);
    const [, seconds] = /timeout=(\d+)/.exec(response.headers.get("keep-alive") ?? "") ?? [];
    assert.ok(Number(seconds) >= 95, `${seconds} s`);
  });

  it("answers its probes", async () => {
    assert.equal((await backup.get("/health/liveness")).status, 200);
    assert.equal((await backup.get("/health/readiness")).status, 200);
    assert.equal((await backup.get("/nowhere")).status, 404);
  });
});
