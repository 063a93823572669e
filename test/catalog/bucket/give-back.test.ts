import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { releaseBuffer } from "../../../shared/catalog/bucket/parts.ts";
import { bufferPool } from "../../../shared/catalog/bucket/parts.ts";

describe("memory that is given back", () => {
  it("is that of whole buffers, and of no part of one", () => {
    const whole = Buffer.allocUnsafeSlow(1 << 16);
    const shared = Buffer.alloc(1 << 16, "x");
    const pooled = Buffer.from("in Node's pool");

    for (const bytes of [whole, shared.subarray(0, 100), pooled]) releaseBuffer(bytes);

    assert.equal(whole.byteLength, 0);
    assert.equal(shared.toString(), "x".repeat(1 << 16));
    assert.equal(pooled.toString(), "in Node's pool");
  });

  it("is all that a pool has lent and got again, and the pool goes on with new memory", async () => {
    const pool = bufferPool(2, 1 << 16);
    const [one, two] = [await pool.take(), await pool.take()];
    for (const buffer of [one, two]) pool.give(buffer);

    pool.free();

    assert.deepEqual([one.byteLength, two.byteLength], [0, 0]);
    assert.equal((await pool.take()).byteLength, 1 << 16);
  });
});
