import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { sizes } from "../../scripts/house/sizes.ts";
import { walk, type Walks } from "../../scripts/house/walk.ts";
import { sharedServer } from "../support/postgres.ts";

/** Files in which a function runs, with room for a few more: a path that grows beyond is to be made shorter. */
const AT_MOST = { backup: 133, restore: 173 };
/** Lines of the longest file but a tenth. */
const NINETIETH = 165;

describe("the sources", () => {
  let walks: Walks;
  before(async () => {
    walks = await walk(await sharedServer());
  });

  for (const job of ["backup", "restore"] as const)
    it(`run functions in at most ${AT_MOST[job]} files during one ${job}`, () => {
      const { length } = walks[job];
      assert.ok(
        length > 50 && length <= AT_MOST[job],
        `${length} files: npm run house -- --files lists them`,
      );
    });

  it("have a median of 50 to 80 lines, and few long files", async () => {
    const { median, ninetieth } = await sizes();

    assert.ok(median >= 50 && median <= 80, `the median file has ${median} lines`);
    assert.ok(ninetieth <= NINETIETH, `nine of ten files have up to ${ninetieth} lines`);
  });
});
