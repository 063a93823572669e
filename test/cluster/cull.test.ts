import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Report } from "../../shared/backup/finding.ts";
import { countBackups } from "./support/events.ts";
import { eventually } from "./support/kubectl.ts";
import { CALLER, install, type Installation } from "./support/namespace.ts";

describe("the cull function on Knative", () => {
  let dormouse: Installation;
  before(async () => {
    dormouse = await install("cull", { settings: { "dormouse-settings": ["NUM_BACKUPS=2"] } });
    await dormouse.sql("CREATE TABLE item AS SELECT g AS id FROM generate_series(1, 1000) g");
    await dormouse.kubectl("wait --for=condition=Ready sinkbinding --all --timeout=180s");
  });
  after(() => dormouse?.[Symbol.asyncDispose]());

  it("is woken by the event of a backup and keeps what retention wants", async () => {
    for (const label of ["one", "two", "three"]) {
      const { status, body } = await dormouse.call("dormouse-backup", { method: "POST", body: { label } });
      assert.equal(status, 200, body);
    }

    await eventually("two backups of three", async () => (await countBackups(dormouse)) === 2);
    const triggers = await dormouse.onVolume(`cat .dormouse/runs/cull-*.json | grep '"source"' | sort -u`);
    assert.match(triggers, /dormouse\/backup\/hets/);
  });

  it("pins for those who bear a token, and for nobody else", async () => {
    const request = { method: "POST", body: { pin: "latest" } };

    const refused = await dormouse.call("dormouse-cull", request);
    const known = await dormouse.call("dormouse-cull", {
      ...request,
      headers: { authorization: `Bearer ${CALLER}` },
    });

    assert.equal(refused.status, 401, refused.body);
    assert.notEqual(known.status, 401, known.body);
  });

  it("and the backup function have no token of the cluster", async () => {
    for (const name of ["dormouse-cull", "dormouse-backup"]) {
      await dormouse.call(name, { path: "/health/liveness" });
      const [pod] = await eventually(`a pod of ${name}`, async () => {
        const pods = await dormouse.podsOf(name);
        return pods.length > 0 && pods;
      });
      const mounts = pod?.spec.containers.flatMap(({ volumeMounts = [] }) => volumeMounts) ?? [];
      assert.notEqual(mounts.length, 0);
      assert.deepEqual(
        mounts.filter(({ mountPath }) => mountPath.includes("serviceaccount")),
        [],
      );
    }
  });

  it("and the others find nothing at fault with what they need", async () => {
    for (const name of ["dormouse-cull", "dormouse-backup"]) {
      const { body } = await dormouse.call(name, { path: "/doctor" });
      assert.equal((JSON.parse(body) as Report).healthy, true, body);
    }
  });
});
