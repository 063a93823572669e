import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Report } from "../../shared/doctor/finding.ts";
import { countBackups } from "./support/events.ts";
import { eventually } from "./support/kubectl.ts";
import { bearer, install, type Installation } from "./support/namespace.ts";

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

  it("and the backup function know callers by their tokens, and let no other in", async () => {
    await dormouse.kubectl("create serviceaccount stranger");
    const stranger = await bearer(dormouse, "stranger", "dormouse");
    const elsewhere = await bearer(dormouse, "dormouse-operator", "somewhere-else");

    for (const name of ["dormouse-cull", "dormouse-backup"]) {
      for (const method of ["GET", "POST"]) {
        const asked = { method, ...(method === "GET" ? { path: "/doctor" } : { body: {} }) };
        const answers = [{}, elsewhere, stranger].map((headers) =>
          dormouse.call(name, { ...asked, headers }),
        );
        const statuses = (await Promise.all(answers)).map(({ status }) => status);
        assert.deepEqual(statuses, [401, 401, 403], `${method} ${name}`);
      }
    }
  });

  it("and the others find nothing at fault with what they need", async () => {
    for (const name of ["dormouse-cull", "dormouse-backup"]) {
      const { body } = await dormouse.call(name, { path: "/doctor" });
      assert.equal((JSON.parse(body) as Report).healthy, true, body);
    }
  });
});
