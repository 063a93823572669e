import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { execa } from "execa";
import type { Kubectl } from "../../cli/doctor/kubectl.ts";
import { admitted } from "../../cli/doctor/admission.ts";
import { installable, render, type Manifest } from "../support/manifests.ts";

describe("Knative's own webhooks, as the doctor asks them,", async () => {
  for (const folder of await installable()) {
    it(`take what ${folder} installs`, async () => {
      const found = await admitted(await render(folder), asking());

      assert.notEqual(found.length, 0);
      assert.deepEqual(
        found.filter(({ state }) => state !== "good"),
        [],
      );
    });
  }

  const refused: readonly (readonly [what: string, service: Manifest, says: RegExp, fix: RegExp])[] = [
    ["a feature without its flag", service({ nodeSelector: { a: "b" } }), /must not set/, /config-features/],
    [
      "a reserved variable",
      service({}, { env: [{ name: "PORT", value: "1" }] }),
      /"PORT" is a reserved/,
      /docs/,
    ],
    ["a field that no Knative has", service({ terminationGracePeriodSeconds: 60 }), /unknown field/, /docs/],
    ["a limit beyond the cluster's", service({ timeoutSeconds: 1e6 }), /expected 0 <= 1000000 <= /, /docs/],
  ];
  for (const [what, manifest, says, fix] of refused) {
    it(`refuse ${what} in their own words`, async () => {
      const [finding] = await admitted([manifest], asking());

      assert.equal(finding?.state, "fault");
      assert.match(finding.detail, says);
      assert.match(finding.detail, /^Service dormouse: (?!Warning|Error)/);
      assert.match(String(finding.fix), fix);
    });
  }

  it("are not reached by an account that may not apply, nor in a namespace that is not there", async () => {
    const [stranger] = await admitted([service()], asking("default", "--as=nobody-in-particular"));
    const [nowhere] = await admitted([service()], asking("not-there"));

    assert.match(String(stranger?.fix), /let an account apply it that may/);
    assert.match(String(nowhere?.fix), /kubectl create namespace/);
  });
});

function asking(namespace = "default", ...more: readonly string[]): Kubectl {
  return async (args, input = "") => {
    const { stdout, stderr, failed } = await execa("kubectl", [...args, "-n", namespace, ...more], {
      reject: false,
      input,
    });
    if (failed) throw new Error(stderr);
    return stdout;
  };
}

function service(pod: object = {}, container: object = {}): Manifest {
  return {
    apiVersion: "serving.knative.dev/v1",
    kind: "Service",
    metadata: { name: "dormouse" },
    spec: { template: { spec: { containers: [{ image: "dormouse", ...container }], ...pod } } },
  };
}
