import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Report } from "../../shared/doctor/finding.ts";
import { testChecks, type TestedConfig } from "../../shared/function/send-test.ts";
import { backupEnvironment, startFunction } from "../support/function-process.ts";
import { type Removed, temporaryVolume } from "../support/volume.ts";
import { webhooks } from "../support/webhooks.ts";

/** No message needs the database. */
const NO_SERVER = {
  host: "127.0.0.1",
  port: 1,
  user: "nobody",
  password: "none",
  major: 15,
  binDir: "/usr/bin",
};

describe("POST /doctor?send=true", () => {
  let volume: Removed;
  before(async () => void (volume = await temporaryVolume()));
  after(() => volume[Symbol.asyncDispose]());

  it("sends a test message to each target, and says of each what became of it", async () => {
    using taking = await webhooks();
    using refusing = await webhooks();
    refusing.take(403);
    const { host } = new URL(taking.url);
    const { host: refuser } = new URL(refusing.url);
    await using backup = await startFunction("backup", {
      ...backupEnvironment(NO_SERVER, "hets", volume.path),
      NOTIFY_URL: `slack+${taking.url}/hooks/s3cret ${refusing.url}/hooks/s3cret`,
      NOTIFY_SMTP_URL: "smtps://jo:s3cret@127.0.0.1:9",
      NOTIFY_MAIL_TO: "ops@example.org",
      NOTIFY_MAIL_FROM: "dormouse@example.org",
      HEARTBEAT_URL: `${taking.url}/check-s3cret/{database}`,
      PUSHGATEWAY_URL: taking.url,
    });

    const answer = await fetch(`${backup.url}/doctor?send=true`, { method: "POST" });
    const { healthy, findings } = (await answer.json()) as Report;

    assert.equal(answer.status, 200);
    assert.equal(healthy, false);
    assert.deepEqual(
      findings.map(({ check, state, detail }) => [check, state, detail]),
      [
        ["chat", "good", `${host} took a test message`],
        ["chat", "fault", `${refuser}: status 403`],
        ["mail", "fault", "127.0.0.1:9: connect ECONNREFUSED 127.0.0.1:9"],
        ["heartbeat", "good", `${host} took a log entry`],
        ["pushgateway", "good", `${host} took dormouse_info`],
      ],
    );
    const received = taking.received.map(
      ({ method, path, body }) => `${method} ${path} ${body.slice(0, 60)}`,
    );
    assert.deepEqual(received.toSorted(), [
      "POST /check-s3cret/hets/log ",
      'POST /hooks/s3cret {"text":"News: test message of the backup function (hets)\\nN',
      "POST /metrics/job/dormouse/namespace/hets/function/backup/database/hets # HELP dormouse_info Version and Knative Service of the func",
    ]);
    assert.doesNotMatch(JSON.stringify([findings, backup.lines]), /s3cret/);
    assert.deepEqual(await (await backup.get("/runs")).json(), { runs: [] });
  });

  it("sends nothing where that is not asked for", async () => {
    using hook = await webhooks();
    await using cull = await startFunction("cull", {
      PATH: process.env["PATH"] ?? "",
      BACKUP_DIR: volume.path,
      AUTH: "none",
      PORT: "0",
      NOTIFY_URL: hook.url,
    });
    const ask = async (path: string, init: RequestInit) => (await fetch(`${cull.url}${path}`, init)).status;

    assert.equal(await ask("/doctor", { method: "POST" }), 400);
    assert.equal(await ask("/doctor?send=false", { method: "POST" }), 400);
    assert.equal(await ask("/doctor?send=true", {}), 200);
    assert.equal(
      await ask("/doctor?send=true", { method: "POST", headers: { origin: "https://example.org" } }),
      403,
    );
    assert.equal(hook.received.length, 0);
    assert.equal(await ask("/doctor?send=true", { method: "POST" }), 200);
    assert.equal(hook.received.length, 1);
  });

  for (const [what, config, detail] of [
    ["no target is configured", {}, /^there is no target/],
    [
      "each database has a monitor of its own",
      { HEARTBEAT_URL: "http://127.0.0.1:9/%7Bdatabase%7D" },
      /^127\.0\.0\.1:9: nothing was sent: each database/,
    ],
    [
      "the monitor would take it for a run",
      { HEARTBEAT_URL: "http://127.0.0.1:9/api/push/key" },
      /^127\.0\.0\.1:9: nothing was sent: it takes every request for a run$/,
    ],
  ] as const)
    it(`warns that nothing is sent where ${what}`, async () => {
      const given: TestedConfig = { BACKUP_DIR: "/nowhere", ...config };
      const [check, ...others] = testChecks(given, "backup");
      const [finding] = (await check?.run(AbortSignal.timeout(60_000))) ?? [];

      assert.equal(others.length, 0);
      assert.equal(finding?.state, "warning");
      assert.match(finding.detail, detail);
    });
});
