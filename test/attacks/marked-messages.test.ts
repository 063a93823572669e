import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { postTo, type ChatKind } from "../../shared/events/notify/chat.ts";
import { describeEvent } from "../../shared/events/notify/message-rules.ts";
import { oneLine } from "../../shared/events/notify/one-line.ts";
import { sendToAll } from "../../shared/events/notify/notifier.ts";

const HOSTILE =
  "[click here](https://example.org) ![](https://example.org/x.png) @all <users/all> <!channel>\r\nNews: all is well";
const failedOf = (name: string) => ({
  database: name,
  problem: { code: "dump_failed", message: `no ${name}` },
});

function swept(names: readonly string[]) {
  const data = { failed: names.map(failedOf), new: [], vanished: [] };
  return describeEvent({ type: "dev.dormouse.backup.swept", subject: "db", data }) ?? assert.fail();
}

/** What a receiver is given of it. */
async function toldOf(names: readonly string[]) {
  let told = swept(names);
  const receiver = {
    name: "chat" as const,
    host: "chat",
    send: async (message: typeof told) => ((told = message), undefined),
  };
  await sendToAll([receiver], told, "prod", AbortSignal.timeout(60_000));
  return told;
}

const FREE_TEXT = [
  "slack",
  "mattermost",
  "rocketchat",
  "teams",
  "discord",
  "googlechat",
] as const satisfies ChatKind[];

describe("a message about databases whose names others chose", () => {
  for (const kind of FREE_TEXT)
    it(`mentions no member, hides no link and begins no line in ${kind}`, async () => {
      const { body } = postTo(kind, await toldOf([HOSTILE]), "prod");

      assert.doesNotMatch(body, kind === "slack" ? /<(?:!|users)/ : /@all|<users|<!|\]\(https/);
      assert.doesNotMatch(body, /\\nNews: |"News: /);
    });

  it("fits into every chat, says how many there are, and ends with what to do", async () => {
    const message = await toldOf(Array.from({ length: 900 }, (_, n) => `${n}${"数据库".repeat(400)}`));

    const [text, ntfy] = (["googlechat", "ntfy"] as const).map((kind) => postTo(kind, message, "prod").body);
    assert.ok(Buffer.byteLength(ntfy ?? "") <= 4_096);
    assert.ok(Buffer.byteLength(String((JSON.parse(text ?? "") as { text: string }).text)) <= 4_096);
    assert.equal(message.lines.length, 7);
    assert.deepEqual(message.lines.slice(5), ["and 895 more", "Command: kubectl dormouse runs backup"]);
  });

  it("shows a command that a shell takes as it is meant", () => {
    const subject = "2026-11-22/x'; rm -rf ~; '2026-11-22-01-00.bak";
    const { lines } =
      describeEvent({ type: "dev.dormouse.backup.suspect", subject, data: {} }) ?? assert.fail();

    assert.equal(
      lines.at(-1),
      String.raw`Command: kubectl dormouse acknowledge '2026-11-22/x'\''; rm -rf ~; '\''2026-11-22-01-00.bak'`,
    );
  });

  it("is a line where it was one", () => {
    assert.equal(oneLine("a\r\n\u2028\u0007b"), "a b");
  });
});
