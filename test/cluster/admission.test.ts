import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { admitService } from "../../scripts/doctor/admit-service.ts";
import type { ServingConfig } from "../../scripts/doctor/knative-service.ts";
import { SERVICES } from "../support/knative-services.ts";
import { kubectl, kubectlJson } from "./support/kubectl.ts";

describe("Knative's own webhook", () => {
  let config: ServingConfig;
  before(async () => {
    config = { features: await dataOf("config-features"), defaults: await dataOf("config-defaults") };
  });

  for (const [what, service] of SERVICES) {
    it(`says of ${what} what our rules say of it`, async () => {
      const objections = admitService(service, config).filter(({ kind }) => kind === "refused");

      const said = await kubectl("create --dry-run=server -n default -f -", [], JSON.stringify(service)).then(
        () => "admitted",
        (error: unknown) => String(error),
      );

      const told = `${JSON.stringify(objections)} against ${said}`;
      assert.equal(said === "admitted", objections.length === 0, told);
      if (said !== "admitted")
        assert.match(said, /validation failed|strict decoding|unknown field|denied/, told);
    });
  }
});

async function dataOf(name: string): Promise<Readonly<Record<string, string>>> {
  const map = await kubectlJson<{ data?: Record<string, string> }>(
    `get configmap ${name} -n knative-serving`,
  );
  return map.data ?? {};
}
