import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import { MANIFESTS } from "../../support/manifests.ts";
import { ask, clientPod, type Answer, type Asked } from "./client-pod.ts";
import { eventually, kubectl, kubectlJson } from "./kubectl.ts";
import { clusterRoleBinding, writeExample, writeKustomization, type Wishes } from "./kustomization.ts";

export type Pod = {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly creationTimestamp: string;
    readonly deletionTimestamp?: string;
  };
  readonly spec: {
    readonly containers: readonly {
      readonly name: string;
      readonly volumeMounts?: readonly { readonly mountPath: string }[];
    }[];
  };
  readonly status: {
    readonly phase: string;
    readonly conditions: readonly { readonly type: string; readonly lastTransitionTime: string }[];
  };
};

/** A namespace under the restricted Pod Security Standard, with the example application and Dormouse in it. */
export type Installation = {
  readonly namespace: string;
  /** In this namespace; `line` is split at spaces. */
  readonly kubectl: (line: string, ...more: readonly string[]) => Promise<string>;
  /** Requests something of a function, from a pod of the namespace; as the operator, unless there are headers. */
  readonly call: (name: string, asked?: Asked) => Promise<Answer>;
  readonly sql: (statement: string) => Promise<string>;
  /** What a shell on the backup volume says. */
  readonly onVolume: (command: string) => Promise<string>;
  readonly pods: (selector: string) => Promise<readonly Pod[]>;
  readonly podsOf: (name: string) => Promise<readonly Pod[]>;
  [Symbol.asyncDispose](): Promise<void>;
};

const PSQL = 'psql -h /var/run/postgresql -U hets "$POSTGRES_DB" -XAtq -v ON_ERROR_STOP=1 -c "$0"';

/** `purpose` is part of the namespace's name; the rest makes it one that no earlier run still occupies. */
export async function install(purpose: string, wishes: Wishes = {}): Promise<Installation> {
  const namespace = `dormouse-${purpose}-${randomUUID().slice(0, 6)}`;
  await using undo = new AsyncDisposableStack();
  const run = (line: string, ...more: readonly string[]) => kubectl(`-n ${namespace} ${line}`, more);
  await kubectl(`create namespace ${namespace}`);
  undo.defer(async () => {
    await kubectl(`delete namespace ${namespace} --wait=false`);
    await kubectl(`delete clusterrolebinding ${clusterRoleBinding(namespace)} --ignore-not-found`);
  });
  await kubectl(`label namespace ${namespace} pod-security.kubernetes.io/enforce=restricted`);
  const example = await writeExample(namespace);
  undo.defer(() => rm(example, { recursive: true, force: true }));
  await run(`apply --validate=strict -k ${example}`);
  for (const object of wishes.beforehand ?? [])
    await kubectl(`-n ${namespace} create -f -`, [], JSON.stringify(object));
  await run(`apply --validate=strict -k ${join(MANIFESTS, wishes.volume ?? "volume")}`);
  const folder = await writeKustomization(namespace, wishes);
  undo.defer(() => rm(folder, { recursive: true, force: true }));
  await applied(run, folder);
  await run("create serviceaccount dormouse-operator");
  await run(
    `create rolebinding dormouse-operator --role=dormouse-operator --serviceaccount=${namespace}:dormouse-operator`,
  );
  const operator = await bearerOf(run, "dormouse-operator", "dormouse");
  await kubectl("apply -f -", [], stringify(clientPod(namespace)));
  await run("rollout status statefulset/postgresql --timeout=180s");
  await run("wait --for=condition=Ready ksvc --all --timeout=180s");
  await run("wait --for=condition=Ready pod/client --timeout=180s");
  await run("wait --for=condition=Ready pingsource --all --timeout=180s");

  const pods = async (selector: string) => {
    const list = await kubectlJson<{ items: readonly Pod[] }>(`-n ${namespace} get pods -l ${selector}`);
    return list.items;
  };
  const owned = undo.move();
  return {
    namespace,
    kubectl: run,
    call: (name, { headers = operator, ...asked } = {}) => ask(namespace, name, { headers, ...asked }),
    sql: (statement) => run("exec postgresql-0 -- sh -c", PSQL, statement),
    onVolume: (command) => run("exec client -- sh -c", `cd /backups && ${command}`),
    pods,
    podsOf: (name) => pods(`serving.knative.dev/service=${name}`),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** A webhook of a busy cluster may be away for a moment. */
export async function applied(run: Installation["kubectl"], folder: string): Promise<void> {
  await eventually("the manifests applied", () => run(`apply --validate=strict -k ${folder}`));
}

/** Resolves when no pod of the function is left. */
export async function asleep({ podsOf }: Installation, name: string): Promise<void> {
  await eventually(`${name} back at zero pods`, async () => (await podsOf(name)).length === 0);
}

/** The header of somebody who has a token for that audience. */
export function bearer({ kubectl: run }: Installation, account: string, audience: string) {
  return bearerOf(run, account, audience);
}

async function bearerOf(run: Installation["kubectl"], account: string, audience: string) {
  return { authorization: `Bearer ${await run(`create token ${account} --audience=${audience}`)}` };
}
