import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { archiveName } from "../../../shared/catalog/archive-name.ts";
import type { BackupManifest } from "../../../shared/catalog/manifest.ts";
import { openVolume } from "../../../shared/catalog/volume/open-volume.ts";
import { cull, cullEnvironment, daysOf, fillVolume, toReport } from "../../support/culled.ts";
import { problemIn } from "../../support/faulty.ts";
import { startFunction } from "../../support/function-process.ts";
import { readContent, temporaryFolder, temporaryVolume } from "../../support/volume.ts";

const start = (path: string, changes: Readonly<Record<string, string>> = {}) =>
  startFunction("cull", cullEnvironment(path, { NUM_BACKUPS: "2", ...changes }));

describe("requests of the cull function", () => {
  it("pins and unpins by name, twice as well as once", async () => {
    await using volume = await temporaryVolume();
    const [oldest] = await fillVolume(volume.path, 4);
    await using culler = await start(volume.path);
    const name = oldest?.name;

    const pinned = (await (await culler.post({ pin: name, reason: "the audit" })).json()) as BackupManifest;
    await culler.post({ pin: name });
    const kept = await cull(culler);
    const unpinned = (await (await culler.post({ unpin: name })).json()) as BackupManifest;
    await culler.post({ unpin: name });
    const gone = await cull(culler);

    assert.deepEqual([pinned.pin?.reason, pinned.pin?.by], ["the audit", "anyone"]);
    assert.deepEqual(daysOf(kept.removed), ["11-02"]);
    assert.equal(kept.databases[0]?.keep.at(-1)?.reasons[0]?.detail, "pinned by anyone: the audit");
    assert.equal(unpinned.pin, undefined);
    assert.deepEqual(daysOf(gone.removed), ["11-01"]);
  });

  it("lists nothing, and says what it takes instead", async () => {
    await using volume = await temporaryVolume();
    await using culler = await start(volume.path);

    const { code, hint } = await problemIn(culler.get("/"));

    assert.deepEqual([code, hint], ["method_not_allowed", "what it takes: POST"]);
  });

  it("asks for a token before it culls, pins, unpins or acknowledges, and culls at an event without one", async () => {
    await using volume = await temporaryVolume();
    const [oldest] = await fillVolume(volume.path, 3);
    const tokens = join(volume.path, ".dormouse/tokens");
    await writeFile(tokens, "ada:a-token-of-enough-characters\n");
    await using culler = await start(volume.path, { AUTH: "token", AUTH_TOKEN_FILE: tokens });
    const name = oldest?.name;
    const before = await readContent(volume.path);

    for (const body of [{}, { dryRun: true }, { pin: name }, { unpin: name }, { acknowledge: name }]) {
      const none = await problemIn(culler.post(body));
      const wrong = await problemIn(
        culler.post(body, { authorization: "Bearer another-token-of-some-length" }),
      );
      assert.deepEqual([none.status, wrong.status], [401, 401], JSON.stringify(body));
    }
    const unchanged = await readContent(volume.path);
    const right = { authorization: "Bearer a-token-of-enough-characters" };
    const pinned = (await (await culler.post({ pin: name }, right)).json()) as BackupManifest;
    const pinging = await culler.ping({ data: { pin: name } });
    const ping = await culler.ping();

    assert.deepEqual(unchanged, before);
    assert.equal(pinned.pin?.by, "ada");
    assert.deepEqual([pinging.status, ping.status], [400, 202]);
    assert.deepEqual((await toReport(culler.post({}, right))).removed, []);
  });

  it("starts with no AUTH but those that there are, and not without what that needs", async () => {
    await using volume = await temporaryVolume();

    await assert.rejects(start(volume.path, { AUTH: "kubernetes" }), /AUTH=kubernetes needs K_SERVICE/);
    await assert.rejects(start(volume.path, { AUTH: "magic" }), /AUTH is .*kubernetes, token, none/);
    await assert.rejects(start(volume.path, { AUTH: "" }), /AUTH is not set/);
    await assert.rejects(start(volume.path, { AUTH: "token" }), /AUTH=token needs AUTH_TOKEN_FILE/);
  });

  it("tries other counts in a dry run, and in nothing else", async () => {
    await using volume = await temporaryVolume();
    await fillVolume(volume.path, 6);
    await using culler = await start(volume.path);
    const before = await readContent(volume.path);

    const plan = await toReport(culler.post({ dryRun: true, keep: { NUM_BACKUPS: 4 } }));
    const fewer = await toReport(
      culler.post({ dryRun: true, keep: { NUM_BACKUPS: 1, KEEP_WITHIN_DAYS: 2 } }),
    );
    const refused = await problemIn(culler.post({ keep: { NUM_BACKUPS: 4 } }));
    const unknown = await problemIn(culler.post({ dryRun: true, keep: { KEEP_HOURLY: 4 } }));

    assert.deepEqual(daysOf(plan.databases[0]?.remove ?? []), ["11-01", "11-02"]);
    assert.deepEqual(daysOf(fewer.databases[0]?.remove ?? []), ["11-01", "11-02", "11-03"]);
    assert.deepEqual([refused.code, unknown.code], ["request_invalid", "request_invalid"]);
    assert.match(refused.detail, /for a dry run/);
    assert.deepEqual(await readContent(volume.path), before);
  });

  it("refuses what it does not know, with every mistake, and changes nothing", async () => {
    await using volume = await temporaryVolume();
    const [first] = await fillVolume(volume.path, 4);
    await using culler = await start(volume.path);
    const before = await readContent(volume.path);
    const unknown = archiveName("hets", new Date("2020-01-01T00:00:00Z"));

    const cases: readonly (readonly [unknown, number, RegExp])[] = [
      [{ dryRun: "yes" }, 400, /dryRun/],
      [{ drRun: true }, 400, /drRun/],
      [{ pin: "../../etc/passwd" }, 400, /"pin" is ".+": it must be the name of a backup/],
      [{ pin: first?.name, unpin: first?.name }, 400, /unpin/],
      [{ unpin: first?.name, reason: "none" }, 400, /reason/],
      [{ acknowledge: first?.name, dryRun: true }, 400, /dryRun/],
      [{ pin: first?.name, reason: "" }, 400, /reason/],
      [[], 400, /the body/],
      [{ pin: unknown }, 404, /there is no backup/],
      [{ acknowledge: unknown }, 404, /there is no backup/],
    ];
    for (const [body, status, detail] of cases) {
      const problem = await problemIn(culler.post(body));
      assert.equal(problem.status, status, JSON.stringify(body));
      assert.match(problem.detail, detail);
    }
    assert.deepEqual(await readContent(volume.path), before);
  });

  it("offers the nearest names where the name of a mark is misspelt or unknown", async () => {
    await using volume = await temporaryVolume();
    const [first] = await fillVolume(volume.path, 4);
    await using culler = await start(volume.path);
    const name = first?.name ?? "";

    for (const mark of ["pin", "unpin", "acknowledge"]) {
      const misspelt = await problemIn(culler.post({ [mark]: name.replace(".bak", "bak") }));
      const bare = await problemIn(culler.post({ [mark]: name.slice(name.indexOf("/") + 1) }));
      const unknown = await problemIn(culler.post({ [mark]: name.replace(".bak", "-99.bak") }));

      assert.deepEqual([misspelt.status, bare.status, unknown.status], [400, 400, 404]);
      for (const { hint } of [misspelt, bare, unknown])
        assert.ok(hint?.includes(`nearest names are ${name}`), `${mark}: ${hint}`);
    }
  });

  it("refuses a configuration that it cannot follow", async () => {
    await using folder = await temporaryFolder();
    await openVolume(folder.path);
    const changes = {
      RETENTION_TZ: "Mars/Olympus",
      KEEP_DAILY: "-1",
      KEEP_WEEKLY: "two",
      MAX_REMOVALS: "0",
      SUSPECT_DROP_PERCENT: "101",
    };

    await assert.rejects(start(folder.path, changes), (error: Error) => {
      for (const name of Object.keys(changes)) assert.ok(error.message.includes(`${name} is `), name);
      return true;
    });
  });

  it("makes one run of one event, and another answer of none", async () => {
    await using volume = await temporaryVolume();
    await fillVolume(volume.path, 3);
    await using culler = await start(volume.path);
    const key = { "idempotency-key": "once" };

    const [one, two] = await Promise.all([culler.post({}, key), culler.post({}, key)]);
    const again = await problemIn(culler.post({ dryRun: true }, key));

    assert.deepEqual(await toReport(one), await toReport(two));
    assert.equal(again.code, "idempotency_key_reused");
  });
});
