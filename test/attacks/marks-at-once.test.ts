import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { cull, cullEnvironment, daysOf, fillVolume } from "../support/culled.ts";
import { startFunction, type FunctionProcess } from "../support/function-process.ts";
import { temporaryVolume } from "../support/volume.ts";

const never = new AbortController().signal;
const BACKUPS = 40;

describe("marks that two processes set at once", () => {
  let one: FunctionProcess;
  let two: FunctionProcess;
  let volume: Awaited<ReturnType<typeof temporaryVolume>>;
  before(async () => {
    volume = await temporaryVolume();
    await fillVolume(volume.path, BACKUPS);
    one = await startFunction("cull", cullEnvironment(volume.path, { NUM_BACKUPS: "1", KEEP_DAILY: "0" }));
    two = await startFunction("cull", cullEnvironment(volume.path, { NUM_BACKUPS: "1", KEEP_DAILY: "0" }));
    for (const process of [one, two]) await process.get("/health/readiness");
  });
  after(async () => {
    for (const each of [one, two, volume]) await each[Symbol.asyncDispose]();
  });

  const list = async () => (await volume.catalog.list(never)).backups;
  const okay = async (answer: Promise<Response>) => assert.equal((await answer).status, 200);

  it("all stand", async () => {
    for (const { name } of await list()) {
      const rehearsed = volume.catalog.mark(
        name,
        (manifest) => ({
          ...manifest,
          verification: { level: "counted", at: "2026-11-23T00:00:00.000Z" },
        }),
        never,
      );
      await Promise.all([okay(one.post({ pin: name })), okay(two.post({ acknowledge: name })), rehearsed]);
    }

    for (const { name, manifest } of await list())
      assert.deepEqual(
        [manifest.pin?.by, manifest.acknowledged?.by, manifest.verification.level],
        ["anyone", "anyone", "counted"],
        name,
      );
  });

  it("are not answered for a backup that a cull removes in the same moment", async () => {
    await Promise.all((await list()).map(async ({ name }) => okay(one.post({ unpin: name }))));
    const names = (await list()).map(({ name }) => name);
    const pin = async (name: string) => ((await one.post({ pin: name })).status === 200 ? [name] : []);

    const [pinned] = await Promise.all([Promise.all(names.map(pin)), cull(two)]);

    const left = await volume.catalog.list(never);
    const there = new Set<string>(left.backups.map(({ name }) => name));
    for (const name of pinned.flat()) assert.ok(there.has(name), `${name} was pinned, and is gone`);
    assert.deepEqual(left.foreign, [], "nothing is half there");
  });

  it("do not wait for a process that died in the middle", async () => {
    const [backup] = await list();
    const { name = "" } = backup ?? {};
    // No process has this number: the kernel's limit is below it.
    const dead = `${hostname()} 4194999 some`;
    await writeFile(join(volume.path, ".dormouse", `changing-${name.replace("/", "-")}`), dead);

    await okay(two.post({ pin: name, reason: "later" }));

    assert.ok((await list())[0]?.manifest.pin);
    assert.equal(daysOf(await list())[0], name.slice(5, 10));
  });
});
