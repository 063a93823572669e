import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { admitService } from "../../scripts/doctor/admit-service.ts";
import { service, SERVICES } from "../support/knative-services.ts";

describe("the rules of Knative's webhook", () => {
  for (const [what, given, features, expected] of SERVICES) {
    it(`object to ${expected.length === 0 ? "nothing in" : `${expected[0]} in`} ${what}`, () => {
      const objections = admitService(given, { features, defaults: {} });

      assert.deepEqual(
        objections.map(({ path }) => path.replace("spec.template.spec.", "")),
        expected,
      );
    });
  }

  it("object to annotations for the autoscaler outside of the template", () => {
    const given = service({ annotations: { "autoscaling.knative.dev/max-scale": "1" } });

    const [objection] = admitService(given, { features: {}, defaults: {} });

    assert.match(String(objection?.path), /^metadata\.annotations/);
  });

  it("take a longer time limit where an administrator allows it", () => {
    const given = service({ pod: { timeoutSeconds: 3600, responseStartTimeoutSeconds: 3600 } });

    const objections = admitService(given, {
      features: {},
      defaults: { "max-revision-timeout-seconds": "3600" },
    });

    assert.deepEqual(objections, []);
  });
});
