import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import {
  defineDeploymentConfigs,
  deploymentConfigs,
  type DeploymentConfigs,
} from "./support/deployment-configs.ts";
import { install, type Installation } from "./support/namespace.ts";

describe("the overlay for OpenShift", () => {
  let dormouse: Installation;
  let configs: DeploymentConfigs;
  before(async () => {
    await defineDeploymentConfigs();
    dormouse = await install("openshift", {
      overlay: "openshift",
      settings: {
        "dormouse-restore-settings": ["APP_WORKLOADS=deploymentconfig/server,deploymentconfig/frontend"],
      },
    });
    configs = await deploymentConfigs(dormouse.namespace, ["server", "frontend"]);
    await dormouse.sql("CREATE TABLE item AS SELECT g AS id FROM generate_series(1, 1000) g");
  });
  after(async () => {
    await configs?.[Symbol.asyncDispose]();
    await dormouse?.[Symbol.asyncDispose]();
  });

  it("lets a restore stop and start DeploymentConfigs, with the replicas they had", async () => {
    const backup = await dormouse.call("dormouse-backup", { method: "POST", body: {} });
    assert.equal(backup.status, 200, backup.body);
    await dormouse.sql("DROP TABLE item");

    const answer = await dormouse.call("dormouse-restore", {
      method: "POST",
      body: { filename: "latest" },
    });

    assert.equal(answer.status, 200, answer.body);
    assert.equal(await dormouse.sql("SELECT count(*) FROM item"), "1000");
    assert.deepEqual(Object.fromEntries(configs.asked), { server: [2, 0, 2], frontend: [1, 0, 1] });
    assert.deepEqual([await configs.replicas("server"), await configs.replicas("frontend")], [2, 1]);
    const running = async (app: string) => (await dormouse.pods(`app=${app}`)).length;
    assert.deepEqual([await running("server"), await running("frontend")], [2, 1]);
  });
});
