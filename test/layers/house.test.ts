import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { sizes } from "../../scripts/house/sizes.ts";
import { walk, type Walks } from "../../scripts/house/walk.ts";
import { sharedServer } from "../support/postgres.ts";

/** Files in which a function runs, with room for a few more: a path that grows beyond is to be made shorter. */
const AT_MOST = { backup: 133, restore: 173 };
/** Lines of the longest file but a tenth. */
const NINETIETH = 165;

describe("the size of the house", () => {
  let walks: Walks;
  before(async () => {
    walks = await walk(await sharedServer());
  });

  for (const way of ["backup", "restore"] as const)
    it(`leads one ${way} through at most ${AT_MOST[way]} files`, () => {
      const { length } = walks[way];
      assert.ok(
        length > 50 && length <= AT_MOST[way],
        `${length} files: npm run house -- --files lists them`,
      );
    });

  it("has files that are neither scraps nor tomes", async () => {
    const { median, ninetieth } = await sizes();

    assert.ok(median >= 50 && median <= 80, `the median file has ${median} lines`);
    assert.ok(ninetieth <= NINETIETH, `nine of ten files have up to ${ninetieth} lines`);
  });
});
