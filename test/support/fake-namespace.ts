import { once } from "node:events";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ApiStatus, notFound, startApiServer, type Answer, type ApiRequest } from "./fake-api-server.ts";
import { temporaryFolder } from "./volume.ts";

type Named = { readonly metadata: { readonly name: string; readonly uid?: string } } & Record<
  string,
  unknown
>;

/** A namespace as `kubectl dormouse` sees it: the API, a pod that a port is forwarded to, the ingress behind it. */
export type FakeNamespace = AsyncDisposable & {
  /** Of a process that is to find it. */
  readonly env: Readonly<Record<string, string>>;
  readonly asked: readonly ApiRequest[];
  /** By resource. Without an entry the cluster has none of that kind. */
  readonly objects: Map<string, readonly Named[]>;
  /** By group and version. */
  readonly served: Map<string, readonly string[]>;
  /** As `get secrets`. */
  readonly denied: Set<string>;
  /** Of each pod that is there. */
  podStatus: unknown;
  readonly pods: ReadonlySet<string>;
};

const TOKEN = "token-of-the-person";
/** What the functions are asked with, and nothing may show. */
export const OPERATOR_TOKEN = "token-of-the-operator";
const IS_READY = { conditions: [{ type: "Ready", status: "True" }] };

/** `functions` are their addresses on this machine, by their names. */
export async function startFakeNamespace(
  functions: Readonly<Record<string, string>> = {},
): Promise<FakeNamespace> {
  const parts = new AsyncDisposableStack();
  const folder = parts.use(await temporaryFolder());
  const ingress = parts.use(await startIngress(functions));
  const asked: ApiRequest[] = [];
  const pods = new Set<string>();
  const served = new Map([
    ["serving.knative.dev/v1", ["services"]],
    ["sources.knative.dev/v1", ["pingsources", "sinkbindings"]],
    ["sinks.knative.dev/v1alpha1", ["jobsinks"]],
  ]);
  const objects = new Map<string, readonly Named[]>([
    ["services", ["backup", "cull", "restore"].map(serviceOf)],
    ["pingsources", []],
    ["sinkbindings", []],
  ]);
  const fake = {
    env: { KUBECONFIG: join(folder.path, "config") },
    asked,
    objects,
    served,
    denied: new Set<string>(),
    podStatus: IS_READY as unknown,
    pods,
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
  const api = await startApiServer({
    host: "127.0.0.1",
    identity: undefined,
    userOf: (token) => (token === TOKEN ? "jo" : undefined),
    isDenied: ({ verb, resource }) => fake.denied.has(`${verb} ${resource}`),
    answer(each) {
      asked.push(each);
      return { status: 200, body: answered(fake, pods, each) } satisfies Answer;
    },
    forwardTo: ingress.port,
  });
  parts.defer(() => api.close());
  await writeFile(fake.env.KUBECONFIG, kubeconfig(api.port));
  return fake;
}

export function serviceOf(name: string): Named {
  const containers = [{ image: "dev.local/dormouse:1", args: [`${name}/index.mjs`] }];
  return {
    apiVersion: "serving.knative.dev/v1",
    kind: "Service",
    metadata: { name: `dormouse-${name}`, uid: `uid-of-${name}` },
    spec: { template: { spec: { containers } } },
    status: { ...IS_READY, address: { url: `http://dormouse-${name}.hets.svc.cluster.local` } },
  };
}

function answered(
  { objects, served, podStatus }: Pick<FakeNamespace, "objects" | "served" | "podStatus">,
  pods: Set<string>,
  { verb, resource, name, path, body }: ApiRequest,
): unknown {
  if (resource === "") return { resources: servedAt(served, path).map((each) => ({ name: each })) };
  if (resource === "serviceaccounts/token")
    return { status: { token: OPERATOR_TOKEN, expirationTimestamp: "2100-01-01T00:00:00Z" } };
  if (resource === "selfsubjectaccessreviews") return { status: { allowed: true }, ...(body as object) };
  if (resource === "pods") return podAnswered(pods, verb, name, podStatus);
  const all = objects.get(resource);
  if (all === undefined) throw notFound(resource, name);
  if (verb === "list") return { items: all };
  const found = all.find(({ metadata }) => metadata.name === name);
  if (found === undefined) throw notFound(resource, name);
  return found;
}

function servedAt(served: FakeNamespace["served"], path: string): readonly string[] {
  const resources = served.get(path.replace("/apis/", ""));
  if (resources === undefined) throw new ApiStatus(404, "NotFound", "404 page not found");
  return resources;
}

function podAnswered(pods: Set<string>, verb: string, named: string, status: unknown): unknown {
  const name = verb === "create" ? `dormouse-restore-relay-${pods.size + 1}` : named;
  if (verb === "create") pods.add(name);
  if (verb === "delete") pods.delete(name);
  return { metadata: { name }, status };
}

/** Routes to the functions by their host names, as Knative's ingress does. */
async function startIngress(functions: Readonly<Record<string, string>>) {
  const server = createServer((asked, answer) => {
    const [, name = ""] = /^dormouse-([a-z]+)\./.exec(asked.headers.host ?? "") ?? [];
    const { method, headers, url = "" } = asked;
    const passed = request(new URL(url, functions[name] ?? "http://127.0.0.1:1"), { method, headers });
    passed.on("response", (told) => told.pipe(answer.writeHead(told.statusCode ?? 502, told.headers)));
    passed.on("error", (error) => answer.writeHead(503).end(error.message));
    asked.pipe(passed);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function kubeconfig(port: number): string {
  return JSON.stringify({
    "current-context": "c",
    contexts: [{ name: "c", context: { cluster: "c", user: "u", namespace: "hets" } }],
    clusters: [
      { name: "c", cluster: { server: `http://127.0.0.1:${port}`, "insecure-skip-tls-verify": true } },
    ],
    users: [{ name: "u", user: { token: TOKEN } }],
  });
}
