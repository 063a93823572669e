import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { trusting } from "../../shared/catalog/trusted-listing.ts";
import { volumeCatalog } from "../../shared/catalog/volume/volume-catalog.ts";
import { notifyVariables } from "../../shared/config/notify-config.ts";
import { postTo, readTarget, type ChatKind } from "../../shared/events/notify/chat.ts";
import { describeEvent, RULES } from "../../shared/events/notify/message-rules.ts";
import { notifier } from "../../shared/events/notify/notifier.ts";
import { settleTroubles } from "../../shared/function/settle-troubles.ts";
import type { Run } from "../../shared/run/run.ts";
import type { OutcomeEvent } from "../../shared/run/run.ts";
import { fillVolume } from "../support/culled.ts";
import { temporaryFolder } from "../support/volume.ts";
import { webhooks } from "../support/webhooks.ts";

const problem = {
  code: "dump_failed",
  message: "pg_dump ended with 1: it says <no> & nothing",
  hint: "look at its log",
};
const failed: OutcomeEvent = {
  type: "dev.dormouse.backup.failed",
  subject: "hets",
  data: { run: "backup-1", database: "hets", problem },
};
const completed: OutcomeEvent = {
  type: "dev.dormouse.restore.completed",
  subject: "2026-11-22/hets2026-11-22-01-00.bak",
  data: {
    run: "restore-1",
    compared: { tables: 3, rows: 1000 },
    downtimeMs: 95,
    undo: { body: { undo: "restore-1" } },
  },
};

describe("messages to people", async () => {
  const { received, url, take, answerBy, ...receiver } = await webhooks();
  after(() => receiver[Symbol.dispose]());

  const send = async (
    folder: string,
    targets: readonly string[],
    event: OutcomeEvent,
    volume: Parameters<typeof notifier>[1] = volumeCatalog(folder),
  ) =>
    notifier({ BACKUP_DIR: folder, NOTIFY_URL: targets, POD_NAMESPACE: "prod" }, volume)?.send(
      event,
      "run",
      AbortSignal.timeout(60_000),
    );

  it("posts what each kind of chat takes", async () => {
    await using folder = await temporaryFolder();
    take();
    for (const kind of [
      "slack",
      "mattermost",
      "rocketchat",
      "teams",
      "discord",
      "googlechat",
      "ntfy",
      "json",
    ])
      await send(folder.path, [`${kind}+${url}/${kind}`], completed);

    const bodies = new Map(received.map(({ path, body }) => [path.slice(1), body]));
    const text = (kind: string, field: string) =>
      String((JSON.parse(bodies.get(kind) ?? "{}") as Record<string, unknown>)[field]);
    const head = "News: restore from 2026-11-22/hets2026-11-22-01-00.bak is complete (prod)";
    for (const [kind, field] of [
      ["slack", "text"],
      ["mattermost", "text"],
      ["rocketchat", "text"],
      ["googlechat", "text"],
      ["discord", "content"],
    ] as const)
      assert.match(
        text(kind, field),
        new RegExp(
          `^${head.replace("(prod)", "\\(prod\\)")}\\nrows counted: 3 tables, 1000 rows\\ndowntime: 0.1 s`,
        ),
      );
    assert.equal(text("json", "type"), "info");
    assert.match(bodies.get("ntfy") ?? "", /^rows counted: 3 tables/);
    assert.equal(received.find(({ path }) => path === "/ntfy")?.headers["title"], head);
    assert.match(bodies.get("teams") ?? "", /"contentType":"application\/vnd.microsoft.card.adaptive"/);
    assert.equal(received.length, 8);
  });

  it("knows a kind by its host, and what is said before the scheme goes first", () => {
    const kinds = new Map<string, ChatKind | undefined>([
      ["https://hooks.slack.com/services/T/B/X", "slack"],
      ["https://discord.com/api/webhooks/1/x", "discord"],
      ["https://chat.googleapis.com/v1/spaces/x", "googlechat"],
      ["https://prod-1.westus.logic.azure.com/workflows/x", "teams"],
      ["https://ntfy.sh/topic", "ntfy"],
      ["https://hooks.slack.com.example.org/x", "json"],
      ["mattermost+https://chat.example.org/hooks/x", "mattermost"],
      ["json+https://hooks.slack.com/x", "json"],
      ["telegram+https://example.org", undefined],
      ["ftp://example.org", undefined],
      ["not a URL", undefined],
    ]);
    for (const [text, kind] of kinds) assert.equal(readTarget(text)?.kind, kind, text);
  });

  it("escapes what Slack would read as a mention, and mentions no one in Discord", () => {
    const message = describeEvent(failed) ?? assert.fail();

    assert.match(postTo("slack", message, "").body, /says &lt;no&gt; &amp; nothing/);
    assert.match(postTo("discord", message, "").body, /"allowed_mentions":\{"parse":\[\]\}/);
  });

  it("report a fault once a day, another one at once, and a restore each time", async () => {
    await using folder = await temporaryFolder();
    take();
    const other = { ...failed, data: { ...failed.data, problem: { ...problem, code: "disk_full" } } };

    for (let night = 0; night < 30; night += 1) await send(folder.path, [`${url}/a`], failed);
    await send(folder.path, [`${url}/a`], other);
    await send(folder.path, [`${url}/a`], completed);
    await send(folder.path, [`${url}/a`], completed);

    assert.equal(received.length, 4);
    assert.match(received[0]?.body ?? "", /There is no backup of hets on the volume/);
    assert.match(received[0]?.body ?? "", /Command: kubectl dormouse -n prod run backup-1/);
    assert.doesNotMatch(received[0]?.body ?? "", /since: /);
    assert.match(received[1]?.body ?? "", /since: \d{4}-\d\d-\d\d \d\d:\d\d UTC/);
  });

  it("says which backup would be restored: none that no key signed, or that is stamped in the future", async () => {
    take();
    const says = async (given: Parameters<typeof fillVolume>[2], isTrusted = true) => {
      await using folder = await temporaryFolder();
      await fillVolume(folder.path, 1, given);
      const verdict = isTrusted ? "trusted" : "changed";
      const volume = trusting(volumeCatalog(folder.path), () => ({ verdict, why: "" }));
      received.length = 0;
      await send(folder.path, [`${url}/a`], failed, volume);
      return received[0]?.body ?? "";
    };

    assert.match(await says(undefined), /The newest backup on the volume is \d+ hours old: [^"]*hets/);
    assert.match(await says(undefined, false), /There is no backup of hets on the volume/);
    const startedAt = new Date(Date.now() + 48 * 3_600_000);
    assert.match(await says(() => ({ startedAt })), /There is no backup of hets on the volume/);
  });

  for (const told of ["null", '"text"', "7"])
    it(`report it again if the note about it holds ${told}`, async () => {
      await using folder = await temporaryFolder();
      take();
      await send(folder.path, [`${url}/a`], failed);
      const notes = join(folder.path, ".dormouse/told");
      for (const name of await readdir(notes))
        await writeFile(join(notes, name), `{"since":"2026-01-01T00:00:00Z","told":${told}}`);

      await send(folder.path, [`${url}/a`], failed);

      assert.equal(received.length, 2);
    });

  it("report no rehearsal that gave way to a restore", () => {
    const rehearsal = (code: string) => ({
      ...failed,
      type: "dev.dormouse.rehearsal.failed" as const,
      data: { ...failed.data, problem: { ...problem, code } },
    });

    assert.equal(describeEvent(rehearsal("rehearsal_gave_way")), undefined);
    assert.notEqual(describeEvent(rehearsal("rows_differ")), undefined);
  });

  it("report what failed of several databases at once", async () => {
    await using folder = await temporaryFolder();
    take();
    for (const database of ["a", "b", "c"])
      await send(folder.path, [`${url}/a`], {
        ...failed,
        subject: database,
        data: { run: `backup-${database}`, sweep: "backup-0", database, problem },
      });
    const swept = {
      type: "dev.dormouse.backup.swept",
      subject: "postgresql",
      data: {
        run: "backup-0",
        taken: [],
        failed: ["a", "b", "c"].map((database) => ({ database, problem })),
      },
    } as const;
    await send(folder.path, [`${url}/a`], swept);
    await send(folder.path, [`${url}/a`], swept);

    assert.equal(received.length, 1);
    assert.match(received[0]?.body ?? "", /backups of 3 databases of postgresql failed/);
    for (const database of ["a", "b", "c"])
      assert.match(received[0]?.body ?? "", new RegExp(`${database}: pg_dump ended with 1`));
  });

  it("report another database that fails, even if its name is like that of the first", async () => {
    await using folder = await temporaryFolder();
    take();
    for (const database of ["a:1", "a:2"]) {
      const data = { run: "backup-0", taken: [], failed: [{ database, problem }] };
      await send(folder.path, [`${url}/a`], {
        type: "dev.dormouse.backup.swept",
        subject: "postgresql",
        data,
      });
    }

    assert.equal(received.length, 2);
    assert.match(received[0]?.body ?? "", /backups of 1 database of postgresql failed/);
  });

  it("report a fault at once if a backup has succeeded since the last one", async () => {
    await using folder = await temporaryFolder();
    take();
    const run = { kind: "backup", state: "succeeded", database: "hets", steps: [] } as unknown as Run;

    await send(folder.path, [`${url}/a`], failed);
    await settleTroubles(folder.path).ended({ ...run, database: "another" }, async () => undefined);
    await send(folder.path, [`${url}/a`], failed);
    await settleTroubles(folder.path).ended(run, async () => undefined);
    await send(folder.path, [`${url}/a`], failed);

    assert.equal(received.length, 2);
  });

  it("report a success only if NOTIFY_ON names it", async () => {
    for (const [type, { when }] of Object.entries(RULES)) {
      const told = (asked: readonly string[]) =>
        describeEvent(
          { type: type as OutcomeEvent["type"], subject: "a", data: { blockers: [], vanished: ["a"] } },
          asked,
        );
      assert.equal(told([]) === undefined, when === "asked", type);
      assert.notEqual(told([type]), undefined, type);
      assert.equal(notifyVariables.NOTIFY_ON.safeParse(type).success, when === "asked", type);
    }
  });

  it("reach the others if one refuses; the error names that one without a secret of its URL", async () => {
    await using folder = await temporaryFolder();
    answerBy((request, response) => void response.writeHead(request.url === "/good" ? 200 : 500).end());

    await assert.rejects(send(folder.path, [`${url}/bad-secret`, `${url}/good`], failed), (error: Error) => {
      assert.match(
        error.message,
        /message about dev.dormouse.backup.failed was not delivered: 127.0.0.1:\d+: status 500$/,
      );
      assert.doesNotMatch(JSON.stringify(error) + error.stack, /bad-secret/);
      return true;
    });
    assert.deepEqual(received.map(({ path }) => path).toSorted(), ["/bad-secret", "/bad-secret", "/good"]);
  });

  it("are sent again if no target took them", async () => {
    await using folder = await temporaryFolder();
    take(403);
    await assert.rejects(send(folder.path, [`${url}/a`], failed), { code: "notification_failed" });
    take();
    await send(folder.path, [`${url}/a`], failed);

    assert.equal(received.length, 1);
  });

  it("follows no redirect, and ends at a target that says nothing", async () => {
    await using folder = await temporaryFolder();
    take(302, { location: "https://login.example.org/?next=x" });
    await assert.rejects(send(folder.path, [`${url}/a`], failed), /it redirects to login.example.org/);
    answerBy(() => undefined);
    const soon = notifier({ BACKUP_DIR: folder.path, NOTIFY_URL: [`${url}/a`] }, volumeCatalog(folder.path));

    await assert.rejects(soon?.send(failed, "run", AbortSignal.timeout(200)) ?? Promise.resolve());
  });

  it("is described in docs/notifications.md as the code has it", async () => {
    const page = await readFile(new URL("../../docs/notifications.md", import.meta.url), "utf8");
    const rows = [...page.matchAll(/^\| `(dev\.dormouse\.[\w.]+)` *\| `(\w+)` *\|$/gm)];
    assert.deepEqual(
      rows.map(([, type, when]) => [type, when]),
      Object.entries(RULES).map(([type, { when }]) => [type, when]),
    );
  });

  it("has nothing to say of what went well by itself", () => {
    for (const type of ["dev.dormouse.backup.completed", "dev.dormouse.cull.completed"] as const)
      assert.equal(describeEvent({ type, subject: "a", data: {} }), undefined);
  });
});
