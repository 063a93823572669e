import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { volumeCatalog } from "../../../shared/catalog/volume/volume-catalog.ts";
import { notifier } from "../../../shared/events/notify/notifier.ts";
import { checkMail } from "../../../shared/config/notify-config.ts";
import { certified, type Certified } from "../../support/certificate.ts";
import { mailServer } from "../../support/mail-server.ts";
import { temporaryFolder } from "../../support/volume.ts";

const failed = {
  type: "dev.dormouse.backup.failed",
  subject: "größe",
  data: { run: "backup-1", database: "größe", problem: { code: "dump_failed", message: "pg_dump ended" } },
} as const;

describe("mail", () => {
  let tls: Certified;
  before(async () => {
    await using folder = await temporaryFolder();
    tls = await certified(folder.path);
  });

  async function send(url: string, isTrusted = true, hasFile = isTrusted): Promise<string> {
    await using folder = await temporaryFolder();
    const TRUSTED_CA_FILE = isTrusted ? join(folder.path, "ca.pem") : undefined;
    if (TRUSTED_CA_FILE !== undefined && hasFile) await writeFile(TRUSTED_CA_FILE, tls.ca);
    const settings = {
      BACKUP_DIR: folder.path,
      TRUSTED_CA_FILE,
      NOTIFY_SMTP_URL: url,
      NOTIFY_MAIL_TO: ["ops@example.org", "dba@example.org"],
      NOTIFY_MAIL_FROM: "dormouse@example.org",
      POD_NAMESPACE: "prod",
    };
    const sink = notifier(settings, volumeCatalog(folder.path));
    try {
      await sink?.send(failed, "run", AbortSignal.timeout(60_000));
      return "taken";
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  for (const [scheme, secure] of [
    ["smtps", true],
    ["smtp", false],
  ] as const)
    it(`goes by ${scheme} over TLS, with the password, as plain text`, async () => {
      await using server = await mailServer({ ...tls, secure });

      assert.equal(await send(`${scheme}://jo%40example.org:s3cret@${server.host}`), "taken");

      const [mail] = server.mails;
      assert.deepEqual(server.logins, ["jo@example.org:s3cret"]);
      assert.deepEqual(
        [mail?.from, mail?.to],
        ["dormouse@example.org", ["ops@example.org", "dba@example.org"]],
      );
      assert.match(mail?.text ?? "", /^Content-Type: text\/plain; charset=utf-8/m);
      assert.match(mail?.text ?? "", /^Subject: =\?UTF-8\?/m);
      assert.match(mail?.text ?? "", /pg_dump ended[\s=]+\(dump_failed\)/);
    });

  it("is not sent where the server offers no TLS, and no password reaches it", async () => {
    await using server = await mailServer({ disabledCommands: ["STARTTLS"], allowInsecureAuth: true });

    assert.match(
      await send(`smtp://jo:s3cret@${server.host}`),
      /^message about .* was not delivered: localhost:\d+: /,
    );
    assert.deepEqual([server.mails, server.logins], [[], []]);
  });

  it("is not sent to a server whose authority is not trusted", async () => {
    await using server = await mailServer({ ...tls, secure: true });

    assert.match(await send(`smtps://jo:s3cret@${server.host}`, false), /localhost:\d+: .*certificate/);
    assert.deepEqual([server.mails, server.logins], [[], []]);
  });

  it("says so as well where the file of the authorities is gone", async () => {
    assert.match(
      await send("smtps://localhost:1", true, false),
      /^message about .* was not delivered: localhost:1: ENOENT.*ca\.pem/,
    );
  });

  it("goes without TLS to a relay that is said to have none", async () => {
    await using server = await mailServer({ disabledCommands: ["STARTTLS", "AUTH"] });

    assert.equal(await send(`smtp+plain://${server.host}`), "taken");
    assert.equal(server.mails.length, 1);
  });

  it("says by its number why the server refused, and no password", async () => {
    await using server = await mailServer({ ...tls, secure: true });

    const said = await send(`smtps://jo:wr0ng@${server.host}`);

    assert.match(said, /localhost:\d+: status 535 \(EAUTH\)$/);
    assert.doesNotMatch(said, /wr0ng|jo/);
    assert.equal(server.logins.length, 1);
  });

  for (const [given, mistake] of [
    [{ NOTIFY_SMTP_URL: "smtps://mail" }, /go together/],
    [{ NOTIFY_MAIL_TO: ["a@b"] }, /go together/],
    [
      { NOTIFY_SMTP_URL: "smtp+plain://jo:s3cret@mail", NOTIFY_MAIL_TO: ["a@b"], NOTIFY_MAIL_FROM: "a@b" },
      /password without TLS/,
    ],
    [
      { NOTIFY_SMTP_URL: "smtps://jo:50%@mail", NOTIFY_MAIL_TO: ["a@b"], NOTIFY_MAIL_FROM: "a@b" },
      /password that is not percent-encoded: % must be %25$/,
    ],
  ] as const)
    it(`is a mistake of the configuration as ${Object.keys(given).join(", ")}`, () => {
      assert.throws(() => checkMail(given), mistake);
    });
});
