import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { OPERATOR_TOKEN, startFakeNamespace, type FakeNamespace } from "../support/fake-namespace.ts";
import { until } from "../support/faulty.ts";
import { dormouse, inTerminal } from "../support/program.ts";
import { json, standIn, type StandIn } from "../support/stand-in.ts";

const CTRL_C = "\u0003";

describe("the way into a namespace", () => {
  let functions: StandIn;
  let given: FakeNamespace;
  /** Who asked the functions. */
  const received: (string | undefined)[] = [];
  let isSilent: boolean;
  before(async () => {
    functions = await standIn((asked, answer) => {
      received.push(asked.headers.authorization);
      if (!isSilent) json({ runs: [] })(asked, answer);
    });
  });
  after(() => functions[Symbol.asyncDispose]());
  beforeEach(async () => {
    isSilent = false;
    received.length = 0;
    const { url } = functions;
    given = await startFakeNamespace({ backup: url, cull: url, restore: url });
  });
  afterEach(() => given[Symbol.asyncDispose]());

  const runs = () => dormouse(["runs"], given.env);

  it("leads through one relay, which is gone afterwards, with a token that nothing shows", async () => {
    const { code, stdout, stderr } = await runs();

    assert.equal(code, 0, stderr);
    assert.deepEqual(
      received,
      Array.from({ length: 3 }, () => `Bearer ${OPERATOR_TOKEN}`),
    );
    assert.doesNotMatch(`${stdout}${stderr}`, new RegExp(OPERATOR_TOKEN));
    assert.equal(
      given.asked.filter(({ verb, resource }) => `${verb} ${resource}` === "create pods").length,
      1,
    );
    assert.equal(given.pods.size, 0);
  });

  for (const [right, resource, verbs] of [
    ["list services", "services", "list"],
    ["create serviceaccounts/token", "serviceaccounts/token", "create"],
    ["create pods", "pods", "create"],
    ["get pods", "pods", "get"],
    ["get pods/portforward", "pods/portforward", "get, create"],
  ] as const)
    it(`names the right that is missing, and what grants it: ${right}`, async () => {
      given.denied.add(right);

      const { code, stderr } = await runs();

      assert.equal(code, 1);
      assert.match(stderr, /^right_missing: /m);
      assert.match(
        stderr,
        new RegExp(`resources: \\[${resource}\\], verbs: \\[${verbs}\\].* --role=dormouse-cli`),
      );
      assert.equal(given.pods.size, 0, "the relay is gone");
      assert.deepEqual(received, []);
    });

  it("says that its relay stays where it may not delete it, and does what was asked", async () => {
    given.denied.add("delete pods");

    const { code, stderr } = await runs();

    assert.equal(code, 0, stderr);
    assert.match(stderr, /the pod dormouse-restore-relay-1 stays until its time is over: .*cannot delete/);
    assert.match(stderr, /resources: \[pods\], verbs: \[delete\].* --role=dormouse-cli/);
  });

  it("says what is not there, and how it gets there", async () => {
    for (const served of [[], undefined]) {
      if (served === undefined) given.objects.delete("services");
      else given.objects.set("services", served);

      const { code, stderr } = await runs();

      assert.equal(code, 1);
      assert.match(stderr, /there is no Dormouse in the namespace hets\n.*docs\/knative\.md/);
    }
  });

  it("makes a pod that the restricted standard admits and nothing selects, and removes it when it does not start", async () => {
    given.podStatus = { phase: "Failed", message: "no room on any node" };

    const { code, stderr } = await runs();

    assert.equal(code, 1);
    assert.match(stderr, /no room on any node/);
    const made = given.asked.find(({ verb, resource }) => verb === "create" && resource === "pods")?.body;
    const { metadata, spec } = made as { metadata: Record<string, unknown>; spec: Record<string, unknown> };
    assert.deepEqual(metadata["labels"], { "app.kubernetes.io/component": "dormouse-relay" });
    assert.deepEqual(metadata["ownerReferences"], [
      {
        apiVersion: "serving.knative.dev/v1",
        kind: "Service",
        name: "dormouse-restore",
        uid: "uid-of-restore",
      },
    ]);
    assert.equal(spec["automountServiceAccountToken"], false);
    assert.ok(Number(spec["activeDeadlineSeconds"]) > 0);
    const [container] = spec["containers"] as readonly Record<string, unknown>[];
    assert.deepEqual(container?.["args"], ["relay/index.mjs", "dormouse-restore.hets.svc.cluster.local:80"]);
    assert.equal(given.pods.size, 0);
  });

  it("removes its relay at Ctrl-C, while a function does not answer", async () => {
    isSilent = true;
    await using terminal = inTerminal(["list"], given.env);
    await until(async () => received.length > 0);

    terminal.type(CTRL_C);

    assert.equal(await terminal.ended, 130, terminal.screen());
    assert.equal(given.pods.size, 0);
  });
});
