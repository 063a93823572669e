import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { postTo, readTarget, type ChatKind } from "../../../shared/events/notify/chat.ts";
import { describeEvent } from "../../../shared/events/notify/message-rules.ts";
import { chatStage, completed, failed } from "../../support/chat-stage.ts";
import { temporaryFolder } from "../../support/volume.ts";

describe("messages to each kind of chat", async () => {
  const { received, url, take, send, ...receiver } = await chatStage();
  after(() => receiver[Symbol.dispose]());

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
});
