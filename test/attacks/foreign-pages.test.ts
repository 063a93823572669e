import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, describe, it } from "node:test";
import { cullEnvironment } from "../support/culled.ts";
import { type FunctionProcess, startFunction } from "../support/function-process.ts";
import { type Removed, temporaryVolume } from "../support/volume.ts";

type Case = readonly [what: string, headers: Readonly<Record<string, string>>, body: string, status: number];

const JSON_TYPE = { "content-type": "application/json" };
const NAMES = "dormouse-cull.hets.svc.cluster.local";

describe("a page in a browser that reaches a function", () => {
  let volume: Removed;
  let unnamed: FunctionProcess;
  let named: FunctionProcess;
  before(async () => {
    volume = await temporaryVolume();
    unnamed = await startFunction("cull", cullEnvironment(volume.path));
    named = await startFunction(
      "cull",
      cullEnvironment(volume.path, {
        K_SERVICE: "dormouse-cull",
        POD_NAMESPACE: "hets",
        ALLOWED_HOSTS: "*.apps.example.org",
      }),
    );
  });
  after(async () => {
    await unnamed[Symbol.asyncDispose]();
    await named[Symbol.asyncDispose]();
    await volume[Symbol.asyncDispose]();
  });

  const posts: readonly Case[] = [
    ["of a form", { "content-type": "application/x-www-form-urlencoded" }, "dryRun=true", 415],
    ["of an empty form", { "content-type": "application/x-www-form-urlencoded" }, "", 415],
    ["of plain text", { "content-type": "text/plain" }, '{"dryRun":true}', 415],
    ["of something that names JSON", { "content-type": "text/plain; a=application/json" }, "{}", 415],
    ["without a type", {}, '{"dryRun":true}', 415],
    ["of another page", { ...JSON_TYPE, origin: "http://evil.example" }, '{"dryRun":true}', 403],
    ["of no page that has a name", { ...JSON_TYPE, origin: "null" }, '{"dryRun":true}', 403],
    [
      "of a page of the rebound name",
      { ...JSON_TYPE, origin: "http://evil.example", host: "evil.example" },
      "{}",
      403,
    ],
    ["of curl without a body", {}, "", 200],
    ["of curl with one", JSON_TYPE, '{"dryRun":true}', 200],
    ["with a charset", { "content-type": "application/json; charset=utf-8" }, "{}", 200],
    ["by any name, where none is known", { ...JSON_TYPE, host: "backup.example:8080" }, "{}", 200],
  ];
  for (const [what, headers, body, status] of posts) {
    it(`answers ${status} to a POST ${what}`, async () => {
      assert.equal(await readStatus(unnamed, "POST", headers, body), status);
    });
  }

  const HOSTS: readonly (readonly [host: string, isOwn: boolean])[] = [
    ["dormouse-cull", true],
    ["dormouse-cull.hets", true],
    ["dormouse-cull.hets.svc", true],
    [NAMES, true],
    [`${NAMES}:80`, true],
    [`${NAMES.toUpperCase()}.`, true],
    ["canary-dormouse-cull.hets.svc.cluster.local", true],
    ["dormouse-cull-00003-private.hets.svc.cluster.local", true],
    ["10.1.2.3:8080", true],
    ["[::1]:8080", true],
    ["localhost:8080", true],
    ["dormouse-cull-hets.apps.example.org", true],
    ["evil.example", false],
    ["dormouse-cull.evil.example", false],
    ["apps.example.org.evil.example", false],
    ["hets.svc.cluster.local.evil.example", false],
    ["dormouse-cull.hets.svc.evil.example", false],
  ];
  for (const [host, isOwn] of HOSTS) {
    it(`${isOwn ? "answers" : "does not answer"} to the name ${host}`, async () => {
      for (const method of ["GET", "POST"])
        assert.equal(
          (await readStatus(named, `${method} /runs/none`, { host, ...JSON_TYPE }, "{}")) !== 421,
          isOwn,
        );
      const event = { host, "ce-specversion": "1.0", "ce-id": host, "ce-source": "/x", "ce-type": "other" };
      assert.equal(await readStatus(named, "POST", event, ""), isOwn ? 422 : 421);
    });
  }

  it("leaves the probes of the kubelet alone", async () => {
    assert.equal(await readStatus(named, "GET /health/readiness", { host: "anything.example" }, ""), 200);
  });
});

/** By Node's own client, which sends what it is given: fetch leaves Host and Origin out. */
function readStatus(
  { url }: FunctionProcess,
  method: string,
  headers: Readonly<Record<string, string>>,
  body: string,
): Promise<number> {
  const [verb = "", path = "/"] = method.split(" ");
  return new Promise((resolve, reject) => {
    const asked = request(
      new URL(path, url),
      { method: verb, headers: { ...headers, connection: "close" } },
      (answer) => {
        answer.resume().on("end", () => resolve(answer.statusCode ?? 0));
      },
    );
    asked.on("error", reject).end(body);
  });
}
