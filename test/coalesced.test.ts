import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { coalesced } from "../shared/waiting.ts";

const never = new AbortController().signal;

describe("a look that is had together", () => {
  it("is begun after each of its callers has asked, and is two looks for sixty calls at once", async () => {
    let state = 0;
    const ends: (() => void)[] = [];
    const look = coalesced(async () => {
      const seen = state;
      await new Promise<void>((resolve) => ends.push(resolve));
      return seen;
    });
    const settled = () => new Promise((resolve) => setImmediate(resolve));

    const first = look(never);
    await settled();
    state = 1;
    const others = Array.from({ length: 60 }, () => look(never));
    await settled();
    const begunAtOnce = ends.length;
    ends[0]?.();
    await settled();
    ends[1]?.();

    assert.deepEqual([await first, new Set(await Promise.all(others))], [0, new Set([1])]);
    assert.deepEqual([begunAtOnce, ends.length], [1, 2]);
  });

  it("goes on after one that failed, and leaves only the caller that stops waiting", async () => {
    let looks = 0;
    const look = coalesced(async () => {
      looks += 1;
      if (looks === 1) throw new Error("unreadable");
      return "listed";
    });
    const stopped = new AbortController();

    const asked = [look(never), look(stopped.signal), look(never)];
    stopped.abort(new Error("the caller went away"));
    const [failed, left, shared] = await Promise.allSettled(asked);

    assert.match(String(failed?.status === "rejected" && failed.reason), /unreadable/);
    assert.match(String(left?.status === "rejected" && left.reason), /went away/);
    assert.match(String(shared?.status === "rejected" && shared.reason), /unreadable/);
    assert.equal(await look(never), "listed");
  });
});
