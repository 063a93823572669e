// Looks at Dormouse from outside: whether Knative takes its services, and whether what they need is there.
// Usage: npm run doctor -- --namespace hets                  what is installed in a namespace
//        npm run doctor -- --namespace hets -k deploy        what a folder would install there, before it is applied
// It asks with your own account, by kubectl, and changes nothing. Each function also looks at itself: GET /doctor.
import { execa } from "execa";
import { parseArgs } from "node:util";
import { parseAllDocuments } from "yaml";
import { DormouseError } from "../shared/errors.ts";
import { runChecks } from "../shared/doctor/run-checks.ts";
import { orSay } from "./fail.ts";
import { clusterChecks } from "./doctor/cluster-checks.ts";
import type { Kubectl, Manifest } from "./doctor/kubectl.ts";

const MARKS = { good: "ok     ", warning: "warning", fault: "FAULT  " } as const;

async function main(): Promise<void> {
  const options = {
    namespace: { type: "string", short: "n" },
    kustomize: { type: "string", short: "k" },
  } as const;
  const { namespace, kustomize } = parseArgs({ options }).values;
  if (namespace === undefined) throw new Error("name a namespace: npm run doctor -- --namespace hets");
  await refuseWithoutCluster();
  const isInstalled = kustomize === undefined;
  const manifests = isInstalled ? await installed(namespace) : await rendered(kustomize);
  const { healthy, findings } = await runChecks(
    clusterChecks(manifests, namespace, kubectl, isInstalled),
    AbortSignal.timeout(120_000),
  );
  for (const { check, state, detail, fix } of findings) {
    console.log(`${MARKS[state]}  ${check}: ${detail}${fix === undefined ? "" : `\n         ${fix}`}`);
  }
  process.exitCode = healthy ? 0 : 1;
}

async function installed(namespace: string): Promise<readonly Manifest[]> {
  const selector = ["-l", "app.kubernetes.io/part-of=dormouse"];
  const list = await kubectl([
    "get",
    "services.serving.knative.dev",
    "-n",
    namespace,
    ...selector,
    "-o",
    "json",
  ]);
  return (JSON.parse(list) as { items: readonly Manifest[] }).items;
}

async function rendered(folder: string): Promise<readonly Manifest[]> {
  const text = await kubectl(["kustomize", folder]);
  return parseAllDocuments(text).map((document) => document.toJS() as Manifest);
}

/** Else each look would tell the same in kubectl's own words. */
async function refuseWithoutCluster(): Promise<void> {
  const { failed, code } = await execa("kubectl", ["get", "--raw", "/version", "--request-timeout=10s"], {
    reject: false,
  });
  if (!failed) return;
  throw new Error(
    code === "ENOENT"
      ? "kubectl is not installed: the doctor asks the cluster through it"
      : "no cluster answers to kubectl: name one in KUBECONFIG, or choose it with `kubectl config use-context`",
  );
}

const kubectl: Kubectl = async (args, input = "") => {
  const { stdout, stderr, failed } = await execa("kubectl", args, { reject: false, input });
  if (failed) {
    const hint = "kubectl must reach the cluster, and your account may see this: an administrator's does";
    throw new DormouseError("cluster_unreachable", stderr.trim(), { hint });
  }
  return stdout;
};

await orSay(main());
