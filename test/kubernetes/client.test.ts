import assert from "node:assert/strict";
import { copyFile, writeFile } from "node:fs/promises";
import { setGlobalProxyFromEnv } from "node:http";
import { join } from "node:path";
import { describe, it } from "node:test";
import { clusterCaller } from "../../shared/kubernetes/client.ts";
import { kubernetesWorkloads } from "../../functions/restore/workloads/workloads.ts";
import { forwardProxy } from "../support/forward-proxy.ts";
import { startFakeKubernetes } from "../support/fake-kubernetes.ts";
import { NAMESPACE } from "../support/fake-state.ts";

const signal = new AbortController().signal;

describe("the client of the Kubernetes API", () => {
  it("finds the API, the namespace and the token of its pod, and trusts the pod's own certificate", async () => {
    await using fake = await startFakeKubernetes({ tls: true });
    fake.addWorkload({ kind: "deployment", name: "server" }, 2);
    const { hostname, port } = new URL(fake.url);
    process.env["KUBERNETES_SERVICE_HOST"] = hostname;
    process.env["KUBERNETES_SERVICE_PORT"] = port;

    const { replicas } = await kubernetesWorkloads(clusterCaller({ root: fake.root })).read(
      { kind: "deployment", name: "server" },
      signal,
    );

    assert.equal(replicas, 2);
    assert.equal(fake.requests[0]?.path, "/apis/apps/v1/namespaces/hets/deployments/server/scale");
  });

  it("asks the API directly, whatever proxy the process knows", async () => {
    await using fake = await startFakeKubernetes({ tls: true });
    await using proxy = await forwardProxy(0, 502);
    const { hostname, port } = new URL(fake.url);
    const proxies = { HTTPS_PROXY: proxy.url, HTTP_PROXY: proxy.url };
    const environment = { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port, ...proxies };
    Object.assign(process.env, environment);
    // As NODE_USE_ENV_PROXY does when a process starts.
    const undo = setGlobalProxyFromEnv(proxies);

    const asked = clusterCaller({ root: fake.root })(signal, ({ core, namespace }, options) =>
      core.listNamespacedPod({ namespace }, options),
    ).finally(() => {
      undo();
      Object.keys(environment).forEach((name) => delete process.env[name]);
    });

    assert.deepEqual((await asked).items, []);
    assert.deepEqual(proxy.seen, []);
  });

  it("says that a kubeconfig cannot be read, or names no namespace", async () => {
    await using fake = await startFakeKubernetes();
    const bare = join(fake.root, "bare");
    await writeFile(
      bare,
      JSON.stringify({
        "current-context": "c",
        clusters: [{ name: "c", cluster: { server: fake.url } }],
        users: [{ name: "u", user: {} }],
        contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
      }),
    );
    const call = (kubeconfig: string) => clusterCaller({ kubeconfig })(signal, async () => undefined);

    await assert.rejects(call("/nowhere"), { code: "configuration_invalid", message: /\/nowhere/ });
    await assert.rejects(call(bare), { code: "configuration_invalid", message: /namespace/ });
  });

  it("looks again after a first look that failed", async () => {
    await using fake = await startFakeKubernetes();
    const late = join(fake.root, "late");
    const caller = clusterCaller({ kubeconfig: late });
    const call = () => caller(signal, async ({ namespace }) => namespace);
    await assert.rejects(call(), { code: "configuration_invalid" });

    await copyFile(fake.kubeconfig, late);

    assert.equal(await call(), NAMESPACE);
  });

  it("says that the connection is refused", async () => {
    const fake = await startFakeKubernetes();
    const caller = clusterCaller({ kubeconfig: fake.kubeconfig });
    await caller(signal, async ({ core, namespace }, options) =>
      core.listNamespacedPod({ namespace }, options),
    );
    const { url } = fake;
    await fake[Symbol.asyncDispose]();

    const call = caller(signal, ({ core, namespace }, options) =>
      core.listNamespacedPod({ namespace }, options),
    );

    await assert.rejects(call, { code: "cluster_unreachable", message: new RegExp(new URL(url).port) });
  });
});
