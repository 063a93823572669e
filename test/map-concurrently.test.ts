import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { mapConcurrently } from "../shared/waiting.ts";

describe("work side by side", () => {
  it("gives results in the order of the entries, and begins no more than so many at once", async () => {
    let [busy, most] = [0, 0];
    const results = await mapConcurrently([3, 1, 2, 0], 2, async (turns) => {
      most = Math.max(most, ++busy);
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      busy--;
      return turns * 10;
    });

    assert.deepEqual(results, [30, 10, 20, 0]);
    assert.equal(most, 2);
  });

  it("begins none after one has failed", async () => {
    const begun: number[] = [];
    const slow = Promise.withResolvers<void>();
    const working = mapConcurrently([1, 2, 3, 4], 2, async (entry) => {
      begun.push(entry);
      if (entry === 1) throw new Error("the first");
      await slow.promise;
    });

    await assert.rejects(working, /the first/);
    slow.resolve();
    await new Promise(setImmediate);
    assert.deepEqual(begun, [1, 2]);
  });
});
