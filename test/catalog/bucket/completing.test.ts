import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { ClientRequest } from "node:http";
import { after, before, describe, it } from "node:test";
import { toBackup } from "../../../shared/catalog/backup.ts";
import { aManifest } from "../../support/backups.ts";
import { proxiedMirror } from "../../support/proxied-mirror.ts";
import { embeddedStore, type OwnStore } from "../../support/s3.ts";
import type { Fault, Seen } from "../../support/store-proxy.ts";
import { pieces } from "../../support/volume.ts";

const never = new AbortController().signal;
const LARGE = randomBytes((10 << 20) + 17);
const STALL_MS = 3_000;
type Asked = Pick<Seen, "method" | "path">;
const isComplete = ({ method, path }: Asked) => method === "POST" && path.includes("uploadId=");

describe("an upload whose parts are put together", () => {
  let store: OwnStore;
  before(async () => void (store = await embeddedStore()));
  after(() => store[Symbol.asyncDispose]());

  async function copyWith(fault: Fault) {
    await using given = await proxiedMirror(store, { stallMs: STALL_MS });
    const { proxy, mirror } = given;
    const backup = toBackup(aManifest({ bytes: LARGE }));
    proxy.set((request) => (isComplete(request) ? fault : undefined));

    await mirror.copyIn(backup, async () => pieces(LARGE), never);

    assert.deepEqual((await mirror.list(never)).backups, [backup]);
    return proxy.seen.filter(isComplete).length;
  }

  it("is asked for once, though the store is silent for longer than it may be otherwise", async () => {
    assert.equal(await copyWith({ answerAfterMs: 2 * STALL_MS }), 1);
  });

  it("leaves no connection open that waits so long", async () => {
    const asked: ClientRequest[] = [];
    const note = (message: unknown) => asked.push((message as { readonly request: ClientRequest }).request);
    subscribe("http.client.request.start", note);
    try {
      await copyWith({ answerAfterMs: 0 });
    } finally {
      unsubscribe("http.client.request.start", note);
    }

    assert.equal(asked.find(isComplete)?.socket?.destroyed, true);
  });

  it("is there although every answer to the request is lost", async () => {
    assert.ok((await copyWith({ cutAnswerAfterBytes: 1 })) > 1);
  });
});
