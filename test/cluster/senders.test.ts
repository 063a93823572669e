import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { pingHeaders, createRuns, schedule } from "./support/events.ts";
import { eventually, kubectl, kubectlJson } from "./support/kubectl.ts";
import type { Wishes } from "./support/kustomization.ts";
import { bearer, install, type Installation } from "./support/namespace.ts";

/** Where the ping of each source goes. */
const PINGED = {
  daily: "dormouse-backup",
  watch: "dormouse-cull",
  tidy: "dormouse-restore",
  rehearsal: "dormouse-restore",
};
/** The component wants it. */
const CHAT = {
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name: "dormouse-chat" },
  stringData: { WEBHOOK_URL: "http://127.0.0.1:1/" },
};

type Source = { readonly status: { readonly auth: { readonly serviceAccountName: string } } };

describe("functions that authenticate senders of events", () => {
  before(() => sendTokens("enabled"));
  after(() => sendTokens("disabled"));

  describe("with sources alone", () => {
    let dormouse: Installation;
    before(async () => {
      dormouse = await installed("senders", { components: ["events-oidc"] });
    });
    after(() => dormouse?.[Symbol.asyncDispose]());

    for (const [source, name] of Object.entries(PINGED)) {
      it(`let the account of dormouse-${source} ping ${name}, and no one else`, async () => {
        const ping = (headers: object) =>
          dormouse.call(name, { method: "POST", headers: { ...pingHeaders("forged"), ...headers } });
        const { namespace } = dormouse;
        const { status } = await kubectlJson<Source>(`-n ${namespace} get pingsource dormouse-${source}`);
        const { serviceAccountName } = status.auth;

        const answers = [
          await ping({}),
          await ping(await bearer(dormouse, serviceAccountName, "another")),
          await ping(await bearer(dormouse, "dormouse-operator", "dormouse")),
          await ping({
            ...pingHeaders("known"),
            ...(await bearer(dormouse, serviceAccountName, "dormouse")),
          }),
        ];

        assert.deepEqual(
          answers.map((answer) => answer.status),
          [401, 401, 403, 202],
        );
      });
    }

    it("take the ping of a real source, and what a real binding sends", async () => {
      await schedule(dormouse, "* * * * *");

      await hasRun(dormouse, "backup", /pingsources\/dormouse-daily"/);
      await hasRun(dormouse, "cull", /\/dormouse\/backup\/hets"/);
      assert.deepEqual(await createRuns(dormouse, "forged"), []);
    });
  });

  describe("with a broker", () => {
    let dormouse: Installation;
    before(async () => {
      dormouse = await installed("brokered", {
        overlay: "broker",
        components: ["events-oidc"],
        beforehand: [CHAT],
      });
      await dormouse.kubectl("wait --for=condition=Ready broker,trigger --all --timeout=300s");
    });
    after(() => dormouse?.[Symbol.asyncDispose]());

    it("take what a real trigger sends of what a real binding sent", async () => {
      const { status, body } = await dormouse.call("dormouse-backup", { method: "POST", body: {} });

      assert.equal(status, 200, body);
      await hasRun(dormouse, "cull", /\/dormouse\/backup\/hets"/);
    });
  });
});

async function installed(purpose: string, wishes: Wishes): Promise<Installation> {
  const dormouse = await install(purpose, wishes);
  await dormouse.sql("CREATE TABLE item AS SELECT g AS id FROM generate_series(1, 1000) g");
  await dormouse.kubectl("wait --for=condition=Ready sinkbinding --all --timeout=180s");
  return dormouse;
}

async function hasRun({ onVolume }: Installation, of: string, source: RegExp): Promise<void> {
  await eventually(`a run of ${of}`, async () =>
    source.test(await onVolume(`cat .dormouse/runs/${of}-*.json 2>/dev/null || true`)),
  );
}

/** Whether Knative Eventing makes accounts for its sources, and sends their tokens where a sink has an audience. */
async function sendTokens(state: "enabled" | "disabled"): Promise<void> {
  const patch = JSON.stringify({ data: { "authentication-oidc": state } });
  await kubectl("-n knative-eventing patch configmap config-features --type=merge --patch", [patch]);
}
