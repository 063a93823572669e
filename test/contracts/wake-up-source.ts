import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { knativeWakeUpSource } from "../../functions/restore/workloads/wake-up-source.ts";
import type { KubernetesWorld } from "./kubernetes-world.ts";

const RUN = "restore-0123456789abcdef01234567";
const signal = new AbortController().signal;

export function describeResumeSource(where: string, open: () => Promise<KubernetesWorld>): void {
  describe(`the ping source of a run ${where}`, () => {
    let world: KubernetesWorld;
    before(async () => {
      world = await open();
    });
    after(() => world[Symbol.asyncDispose]());

    it("is made once, wakes the function each minute, and is removed once", async () => {
      const source = knativeWakeUpSource(world.call, "restore");

      const answers = [await source.ensure(RUN, signal), await source.ensure(RUN, signal)];
      const made = await world.pingSources();
      const removals = [await source.remove(signal), await source.remove(signal)];

      assert.deepEqual([...answers, ...removals], [{}, {}, {}, {}]);
      assert.deepEqual(
        made.map(({ metadata, spec }) => [
          metadata.name,
          spec.schedule,
          spec.sink.ref.kind,
          spec.sink.ref.name,
        ]),
        [["restore", "* * * * *", "Service", "restore"]],
      );
      assert.equal(made[0]?.metadata.ownerReferences?.length, 1);
      assert.deepEqual(await world.pingSources(), []);
    });

    it("means its events for the audience that senders of events need a token for", async () => {
      const source = knativeWakeUpSource(world.call, "restore", "dormouse");

      await source.ensure(RUN, signal);
      const made = await world.pingSources();
      await source.remove(signal);

      assert.deepEqual(
        made.map(({ spec }) => (spec.sink as { readonly audience?: string }).audience),
        ["dormouse"],
      );
    });

    it("is known by the source of its events", () => {
      const source = knativeWakeUpSource(world.call, "restore");
      const sources = ["restore", "dormouse-daily", "x-restore", "restore-0"];

      const found = sources.map((name) => source.sends(`/apis/v1/namespaces/hets/pingsources/${name}`));

      assert.deepEqual(found, [true, false, false, false]);
    });

    it("is known beforehand to be possible, or not, and is not made to know it", async () => {
      const [allowed, forbidden] = [world.call, world.callWithoutRights].map((call) =>
        knativeWakeUpSource(call, "restore"),
      );

      assert.deepEqual(await allowed?.check(signal), {});
      assert.match((await forbidden?.check(signal))?.missing ?? "", /may not create pingsources/);
      assert.deepEqual(await world.pingSources(), []);
    });

    it("is not made without the right to do so, which is said", async () => {
      const source = knativeWakeUpSource(world.callWithoutRights, "restore");

      const { missing } = await source.ensure(RUN, signal);

      assert.match(
        missing ?? "",
        /cannot create resource "pingsources".*let the function's service account/s,
      );
      assert.match((await source.remove(signal)).missing ?? "", /cannot delete/);
      assert.deepEqual(await world.pingSources(), []);
    });
  });
}
