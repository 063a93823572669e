import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { backupConfig } from "../../functions/backup/config.ts";
import { asDormouseError, DormouseError, withoutUrlSecrets } from "../../shared/errors.ts";
import { jsonLog } from "../../shared/log.ts";
import { describeConfig, readConfig } from "../../shared/config/config.ts";
import { backupEnvironment, manifestOf, startFunction } from "../support/function-process.ts";
import { sharedServer } from "../support/postgres.ts";
import { temporaryFolder } from "../support/volume.ts";

const SECRET = /s3cret|t0ken/;
/** Nothing listens there. */
const HOST = "127.0.0.1:9";

const URLS: readonly (readonly [given: string, shown: string])[] = [
  [`http://jo:s3cret@${HOST}/in?key=t0ken`, `http://${HOST}/in`],
  [`http://s3cret@${HOST}`, `http://${HOST}`],
  [`http://jo:s3@cret@${HOST}/`, `http://${HOST}/`],
  [`HTTPS://jo:it's-s3cret@${HOST}/hooks`, `HTTPS://${HOST}/hooks`],
  [`https://${HOST}/a@b?t0ken`, `https://${HOST}/a@b`],
  [`socks5://jo:s3cret@[::1]:1080`, `socks5://[::1]:1080`],
  [`http://${HOST}/plain`, `http://${HOST}/plain`],
];

describe("a password or a query of a URL", () => {
  for (const [given, shown] of URLS) {
    it(`is left out of every way out, as of ${shown}`, () => {
      const lines: string[] = [];
      const log = jsonLog((line) => lines.push(line));

      log.warn(`asked ${given}`, { error: new Error(`"${given}" failed`).message, at: { url: given } });

      const [line = ""] = lines;
      const parsed = JSON.parse(line) as Record<string, unknown>;
      assert.deepEqual(
        [parsed["message"], parsed["error"], parsed["at"]],
        [`asked ${shown}`, `"${shown}" failed`, { url: shown }],
      );
      const ours = new DormouseError("internal", `no answer of ${given}`, { hint: `look at ${given} first` });
      assert.deepEqual([ours.message, ours.hint], [`no answer of ${shown}`, `look at ${shown} first`]);
      assert.equal(asDormouseError(new Error(`fetch ${given} failed`)).message, `fetch ${shown} failed`);
    });
  }

  it("leaves all other text as it is", () => {
    for (const text of ["a@b.c ?", "role jo@host: denied?", "16:00 // comment? yes", '{"a":"\\"b\\""}'])
      assert.equal(withoutUrlSecrets(text), text);
  });

  it("is in no mistake of the configuration", () => {
    const urls = describeConfig(backupConfig).filter(({ allowed }) => /\bURL\b/.test(allowed));
    assert.ok(urls.length >= 4);
    for (const { name } of urls) {
      for (const value of ["ftp://a:s3cret@h", "a:s3cret@h", "//h?t0ken", "ftp://h/?t0ken"]) {
        assert.throws(
          () => readConfig(backupConfig, { [name]: value }, () => "content"),
          ({ message }: Error) => message.includes(`${name} is `) && !SECRET.test(message),
          `${name}=${value}`,
        );
      }
    }
  });

  it("is shown neither by an answer, nor by the doctor, nor by the log of a function", async () => {
    const server = await sharedServer();
    const database = await server.createDatabase();
    await using folder = await temporaryFolder();
    await using backup = await startFunction("backup", {
      ...backupEnvironment(server, database, folder.path),
      K_SINK: `https://jo:s3cret@${HOST}/?key=t0ken`,
      HTTPS_PROXY: `http://jo:s3cret@${HOST}`,
    });

    const manifest = await manifestOf(await backup.post());
    await backup.logged("event not delivered");
    const report = await (await backup.get("/doctor")).text();

    assert.match(report, /127\.0\.0\.1:9/);
    assert.doesNotMatch(JSON.stringify([manifest, report, backup.lines]), SECRET);
    await backup.end("SIGKILL");
    await server.dropDatabase(database);
  });
});
