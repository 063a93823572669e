import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Workload, workloadText } from "../../functions/restore/workloads/workload.ts";
import { certified } from "./certificate.ts";
import { type ApiRequest, startApiServer } from "./fake-api-server.ts";
import { respond } from "./fake-resources.ts";
import { emptyState, FUNCTION_USER, isDenied, type FakeUser, NAMESPACE, type How } from "./fake-state.ts";
import { type Behaviour, type FakeWorkload, fakeWorkload } from "./fake-workload.ts";

const FUNCTION_TOKEN = "token-of-the-function";

export type FakeKubernetes = {
  readonly url: string;
  /** File for KUBECONFIG: as the function, in its namespace. */
  readonly kubeconfig: string;
  /** Folder that stands before the paths of a service account, for the configuration of a pod. */
  readonly root: string;
  readonly requests: readonly ApiRequest[];
  addWorkload(workload: Workload, replicas: number, behaviour?: Partial<Behaviour>): FakeWorkload;
  /** By the name that `workloadText` gives it. */
  removeWorkload(text: string): void;
  addAutoscaler(name: string, target: Workload): void;
  addUser(user: FakeUser): void;
  /** Lets a user do something on a resource of the namespace: `grant("jo", "restore services")`. */
  grant(user: string, right: string): void;
  /** Takes a right from the function: `deny("patch deployments/scale")`. */
  deny(right: string): void;
  allow(right: string): void;
  /** What becomes of requests from now on: answered, not answered at all, or answered with 503 or 401. */
  behave(how: How): void;
  readonly pingSources: Map<string, Record<string, unknown>>;
  [Symbol.asyncDispose](): Promise<void>;
};

type FakeOptions = {
  /** Speaks TLS with a certificate of its own, as the API of a cluster does. The client wants it in a pod. */
  readonly tls?: boolean;
};

const HOST = "127.0.0.1";

/** A Kubernetes API with what Dormouse asks of it. It passes the contract suites that a real one passes. */
export async function startFakeKubernetes({ tls = false }: FakeOptions = {}): Promise<FakeKubernetes> {
  const state = emptyState();
  const folder = await mkdtemp(join(tmpdir(), "dormouse-kubernetes-"));
  const identity = tls ? await certified(folder) : undefined;
  const server = await startApiServer({
    host: HOST,
    identity,
    userOf: (token) => (token === FUNCTION_TOKEN ? FUNCTION_USER : state.users.get(token)?.name),
    isDenied: ({ verb, resource, user }) =>
      // Every user may ask what it is allowed (ClusterRole system:basic-user).
      resource !== "selfsubjectaccessreviews" && isDenied(state, `${verb} ${resource}`, user),
    answer: (request) => {
      state.requests.push(request);
      return respond(state, request);
    },
  });
  const url = `${tls ? "https" : "http"}://${HOST}:${server.port}`;
  await writeAccount(folder, url, identity?.ca ?? "");

  return {
    url,
    kubeconfig: join(folder, "kubeconfig"),
    root: folder,
    requests: state.requests,
    pingSources: state.pingSources,
    addWorkload(workload, replicas, behaviour = {}) {
      const all = { stopMs: 0, startMs: 0, ...behaviour };
      const added = fakeWorkload(workload, replicas, all, state.nextVersion);
      state.workloads.set(workloadText(workload), added);
      return added;
    },
    removeWorkload: (text) => void state.workloads.delete(text),
    addAutoscaler: (name, { kind, name: target }) =>
      void state.autoscalers.set(name, { kind: KINDS[kind], name: target }),
    addUser: (user) => void state.users.set(user.token, user),
    grant: (user, right) => void state.granted.add(`${user} ${right}`),
    deny: (right) => void state.denied.add(right),
    allow: (right) => void state.denied.delete(right),
    behave: (how) => void (state.how = how),
    async [Symbol.asyncDispose]() {
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const KINDS = {
  deployment: "Deployment",
  statefulset: "StatefulSet",
  deploymentconfig: "DeploymentConfig",
} as const;

/** What a pod finds in its file system, and what KUBECONFIG names elsewhere. */
async function writeAccount(folder: string, url: string, certificate: string): Promise<void> {
  const account = join(folder, "var/run/secrets/kubernetes.io/serviceaccount");
  await mkdir(account, { recursive: true });
  await writeFile(join(account, "token"), FUNCTION_TOKEN);
  await writeFile(join(account, "namespace"), NAMESPACE);
  await writeFile(join(account, "ca.crt"), certificate);
  const kubeconfig = {
    apiVersion: "v1",
    kind: "Config",
    "current-context": "fake",
    clusters: [{ name: "fake", cluster: { server: url, "insecure-skip-tls-verify": true } }],
    users: [{ name: "function", user: { token: FUNCTION_TOKEN } }],
    contexts: [{ name: "fake", context: { cluster: "fake", user: "function", namespace: NAMESPACE } }],
  };
  await writeFile(join(folder, "kubeconfig"), JSON.stringify(kubeconfig));
}
