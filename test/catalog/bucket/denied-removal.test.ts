import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { aBackupOf } from "../../contracts/mirror.ts";
import { proxiedMirror } from "../../support/proxied-mirror.ts";
import { embeddedStore, type OwnStore } from "../../support/s3.ts";
import { pieces } from "../../support/volume.ts";

const never = new AbortController().signal;
const small = aBackupOf(Buffer.from("PGDMP"));

describe("a removal that the store does not carry out", () => {
  let store: OwnStore;
  before(async () => void (store = await embeddedStore()));
  after(() => store[Symbol.asyncDispose]());

  async function setUp() {
    const given = await proxiedMirror(store);
    await given.mirror.copyIn(small, async () => pieces("PGDMP"), never);
    return given;
  }

  it("reports a removal that the store denies, and takes the backup for kept", async () => {
    await using given = await setUp();
    given.proxy.set(({ method }) =>
      method === "DELETE" ? { answer: 403, code: "AccessDenied" } : undefined,
    );

    await assert.rejects(given.mirror.remove(small.name, never), {
      code: "mirror_refused",
      hint: /s3:DeleteObject/,
    });

    assert.deepEqual((await given.mirror.list(never)).backups, [small]);
  });

  it("touches no object that is locked", async () => {
    await using given = await setUp();
    const deleted = () => given.proxy.seen.filter(({ method }) => method === "DELETE");
    for (const header of [
      { "x-amz-object-lock-legal-hold": "ON" },
      {
        "x-amz-object-lock-mode": "COMPLIANCE",
        "x-amz-object-lock-retain-until-date": "2999-01-01T00:00:00Z",
      },
    ]) {
      given.proxy.set(({ method }) =>
        method === "HEAD" ? { answer: 200, code: "", body: "", headers: header } : undefined,
      );

      assert.equal(await given.mirror.remove(small.name, never), "locked");
    }

    assert.deepEqual(deleted(), []);
  });

  it("does not call removed what a bucket with versions only hides", async () => {
    await using given = await setUp();
    given.proxy.set(({ method }) =>
      method === "DELETE"
        ? { answer: 204, code: "", body: "", headers: { "x-amz-delete-marker": "true" } }
        : undefined,
    );

    assert.equal(await given.mirror.remove(small.name, never), "hidden");
  });
});
