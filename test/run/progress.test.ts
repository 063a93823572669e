import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { progressOf, withProgress } from "../../shared/run/progress.ts";

describe("the progress of a step", () => {
  for (const [what, given, expected] of [
    [
      "half done",
      [500, 1_000, 1_000],
      { bytes: 500, expectedBytes: 1_000, bytesPerSecond: 500, remainingSeconds: 1 },
    ],
    ["more than expected", [2_000, 1_000, 1_000], { remainingSeconds: 0 }],
    ["at its begin", [0, 1_000, 0], { bytesPerSecond: 0, remainingSeconds: undefined }],
    [
      "without an expectation",
      [500, undefined, 1_000],
      { expectedBytes: undefined, remainingSeconds: undefined },
    ],
  ] as const)
    it(`is counted: ${what}`, () => {
      const [bytes, expectedBytes, elapsedMs] = given;
      const progress: Readonly<Record<string, unknown>> = progressOf(bytes, expectedBytes, elapsedMs);

      for (const [name, value] of Object.entries(expected)) assert.equal(progress[name], value, name);
    });

  it("is reported at the begin and every two seconds, and changes no byte", async (test) => {
    const times = [0, 0, 1_900, 2_000, 3_000];
    const told: unknown[] = [];
    const chunks = [1, 2, 3, 4].map((byte) => Uint8Array.of(byte));
    const archive = (async function* () {
      yield* chunks;
    })();
    const passing = { what: { dumping: "hets" }, expectedBytes: 4 };
    test.mock.method(performance, "now", () => times.shift() ?? 0);

    const passed = await Array.fromAsync(
      withProgress(archive, passing, ({ bytes }) => void told.push(bytes)),
    );

    assert.deepEqual(passed, chunks);
    assert.deepEqual(told, [1, 3]);
  });
});
