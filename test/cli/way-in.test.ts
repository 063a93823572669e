import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { ApiStatus, startApiServer, type ApiRequest } from "../support/fake-api-server.ts";
import { dormouse } from "../support/program.ts";
import { temporaryFolder, type Removed } from "../support/volume.ts";

const TOKEN = "token-of-the-person";
const SERVED = ["backup", "cull", "restore"].map((name) => ({
  metadata: { name: `dormouse-${name}`, uid: `uid-of-${name}` },
  spec: {
    template: { spec: { containers: [{ image: "dev.local/dormouse:1", args: [`${name}/index.mjs`] }] } },
  },
  status: { address: { url: `http://dormouse-${name}.hets.svc.cluster.local` } },
}));

describe("the way into a namespace", () => {
  let folder: Removed;
  let api: Awaited<ReturnType<typeof startApiServer>>;
  let items: readonly unknown[];
  let denied: string;
  const asked: ApiRequest[] = [];
  before(async () => {
    folder = await temporaryFolder();
    api = await startApiServer({
      host: "127.0.0.1",
      identity: undefined,
      userOf: (token) => (token === TOKEN ? "jo" : undefined),
      isDenied: ({ verb, resource }) => `${verb} ${resource}` === denied,
      answer(request) {
        asked.push(request);
        const { verb, resource } = request;
        if (resource === "services") return { status: 200, body: { items } };
        if (resource === "serviceaccounts/token")
          return {
            status: 201,
            body: { status: { token: "of-the-operator", expirationTimestamp: "2100-01-01T00:00:00Z" } },
          };
        if (resource === "pods" && verb === "create")
          return { status: 201, body: { metadata: { name: "dormouse-restore-relay-1" } } };
        if (resource === "pods" && verb === "get")
          return { status: 200, body: { status: { phase: "Failed", message: "no room on any node" } } };
        if (verb === "delete") return { status: 200, body: {} };
        throw new ApiStatus(404, "NotFound", `${verb} ${resource}`);
      },
    });
    const config = {
      "current-context": "c",
      contexts: [{ name: "c", context: { cluster: "c", user: "u", namespace: "hets" } }],
      clusters: [
        { name: "c", cluster: { server: `http://127.0.0.1:${api.port}`, "insecure-skip-tls-verify": true } },
      ],
      users: [{ name: "u", user: { token: TOKEN } }],
    };
    await writeFile(join(folder.path, "config"), JSON.stringify(config));
  });
  after(async () => {
    await api.close();
    await folder[Symbol.asyncDispose]();
  });
  beforeEach(() => {
    items = SERVED;
    denied = "";
    asked.length = 0;
  });

  const list = () => dormouse(["list"], { KUBECONFIG: join(folder.path, "config") });

  for (const [right, resource, verb] of [
    ["list services", "services", "list"],
    ["create serviceaccounts/token", "serviceaccounts/token", "create"],
    ["create pods", "pods", "create"],
  ] as const)
    it(`names the right that is missing, and what grants it: ${right}`, async () => {
      denied = right;

      const { code, stderr } = await list();

      assert.equal(code, 1);
      assert.match(stderr, new RegExp(`resources: \\[${resource}\\], verbs: \\[${verb}\\]`));
      assert.match(stderr, /--role=dormouse-cli/);
    });

  it("says what is not there, and how it gets there", async () => {
    items = [];

    const { code, stderr } = await list();

    assert.equal(code, 1);
    assert.match(stderr, /there is no Dormouse in the namespace hets\n.*docs\/knative\.md/);
  });

  it("makes a pod that the restricted standard admits and nothing selects, and removes it when it does not start", async () => {
    const { code, stdout, stderr } = await list();

    assert.equal(code, 1);
    assert.match(stderr, /no room on any node/);
    assert.doesNotMatch(`${stdout}${stderr}`, /of-the-operator/);
    const made = asked.find(({ verb, resource }) => verb === "create" && resource === "pods")?.body;
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
    assert.ok(asked.some(({ verb, name }) => verb === "delete" && name === "dormouse-restore-relay-1"));
  });
});
