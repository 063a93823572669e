import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { BackupManifest } from "../../shared/catalog/manifest.ts";
import { schedule } from "./support/events.ts";
import { RANDOM_UID } from "./support/kustomization.ts";
import { eventually, kubectlJson } from "./support/kubectl.ts";
import { install, type Installation } from "./support/namespace.ts";

const RUN_AS_USER = {
  op: "add",
  path: "/spec/job/spec/template/spec/containers/0/securityContext/runAsUser",
  value: RANDOM_UID,
};

type Jobs = {
  readonly items: readonly { readonly status: { readonly succeeded?: number; readonly failed?: number } }[];
};

describe("a backup as a Job", () => {
  let dormouse: Installation;
  before(async () => {
    dormouse = await install("job", {
      overlay: "jobsink",
      // The user of the services: each keeps its files to itself.
      patches: [{ target: { kind: "JobSink" }, patch: JSON.stringify([RUN_AS_USER]) }],
    });
    await dormouse.sql("CREATE TABLE item AS SELECT g AS id FROM generate_series(1, 1000) g");
    await dormouse.kubectl("wait --for=condition=Ready jobsink,sinkbinding --all --timeout=180s");
  });
  after(() => dormouse?.[Symbol.asyncDispose]());

  it("is started by a ping through a JobSink, and triggers cull when it is done", async () => {
    await schedule(dormouse, "* * * * *");
    const [file] = await eventually("a backup of the ping", async () => {
      const names = await dormouse.onVolume("ls */*.bak.json 2>/dev/null || true");
      return names === "" ? undefined : names.split("\n");
    });
    await schedule(dormouse, "0 1 * * *");

    const manifest = JSON.parse(await dormouse.onVolume(`cat ${file}`)) as BackupManifest;
    assert.match(manifest.trigger.source, /pingsources\/dormouse-daily$/);
    await eventually("a Job that is done", async () => {
      const { items } = await kubectlJson<Jobs>(`-n ${dormouse.namespace} get jobs`);
      return items.some(({ status }) => status.succeeded === 1);
    });
    await eventually("a run of cull", async () =>
      (await dormouse.onVolume("cat .dormouse/runs/cull-*.json 2>/dev/null || true")).includes(
        "/dormouse/backup/hets",
      ),
    );
  });

  it("has the same catalog as the service", async () => {
    const { status, body } = await dormouse.call("dormouse-backup");

    assert.equal(status, 200, body);
    assert.ok((JSON.parse(body) as { backups: readonly unknown[] }).backups.length > 0);
  });
});
