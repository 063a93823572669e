import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { trusting } from "../../../shared/catalog/trusted-listing.ts";
import { volumeCatalog } from "../../../shared/catalog/volume/volume-catalog.ts";
import { notifier } from "../../../shared/events/notify/notifier.ts";
import { chatStage, failed } from "../../support/chat-stage.ts";
import { fillVolume } from "../../support/culled.ts";
import { temporaryFolder } from "../../support/volume.ts";

describe("messages to people", async () => {
  const { received, url, take, answerBy, send, ...receiver } = await chatStage();
  after(() => receiver[Symbol.dispose]());

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
});
