import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { type Workload, workloadText } from "../../functions/restore/workloads/workload.ts";
import {
  type Answer,
  type Identity,
  type ApiRequest,
  ApiStatus,
  notFound,
  patched,
  startApiServer,
} from "./fake-api-server.ts";
import { type Behaviour, type FakeWorkload, fakeWorkload } from "./fake-workload.ts";

export const NAMESPACE = "hets";
/** The function's own account, whose token the kubeconfig holds. */
const FUNCTION_USER = `system:serviceaccount:${NAMESPACE}:restore`;
const FUNCTION_TOKEN = "token-of-the-function";

/** The owner of a token. */
type FakeUser = {
  readonly token: string;
  readonly name: string;
  /** `unchecked`: by an authenticator that knows no audiences, vouches nevertheless, and leaves them out. */
  readonly audiences: readonly string[] | "unchecked";
  readonly isExpired?: boolean;
};

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
  behave(how: "answers" | "is silent" | "is overloaded" | "knows nobody"): void;
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
  const identity = tls ? await selfSigned(folder) : undefined;
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
  await writeAccount(folder, url, identity?.cert ?? "");

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

function emptyState() {
  let version = 0;
  return {
    nextVersion: () => `${(version += 1)}`,
    how: "answers" as "answers" | "is silent" | "is overloaded" | "knows nobody",
    requests: [] as ApiRequest[],
    workloads: new Map<string, FakeWorkload>(),
    autoscalers: new Map<string, { readonly kind: string; readonly name: string }>(),
    pingSources: new Map<string, Record<string, unknown>>(),
    users: new Map<string, FakeUser>(),
    granted: new Set<string>(),
    denied: new Set<string>(),
  };
}

type State = ReturnType<typeof emptyState>;

function isDenied({ denied }: State, right: string, user: string): boolean {
  return user !== FUNCTION_USER || denied.has(right);
}

async function respond(state: State, request: ApiRequest): Promise<Answer> {
  if (state.how === "is silent") return new Promise(() => undefined);
  if (state.how === "is overloaded")
    throw new ApiStatus(503, "ServiceUnavailable", "the server is currently unable to handle the request");
  if (state.how === "knows nobody") throw new ApiStatus(401, "Unauthorized", "Unauthorized");
  const respondTo = RESOURCES[request.resource];
  if (respondTo === undefined)
    throw new ApiStatus(404, "NotFound", "the server could not find the requested resource");
  return respondTo(state, request);
}

const RESOURCES: Readonly<Record<string, (state: State, request: ApiRequest) => Answer>> = {
  "deployments/scale": scale,
  "statefulsets/scale": scale,
  "deploymentconfigs/scale": scale,
  pods: (state, { query }) => {
    const selector = query.get("labelSelector") ?? "";
    const chosen = [...state.workloads.values()].filter(
      ({ name }) => selector === "" || selector === `app=${name}`,
    );
    return list(
      "Pod",
      chosen.flatMap((workload) => workload.pods()),
    );
  },
  events: (state, { query }) => {
    const wanted = (query.get("fieldSelector") ?? "").split(",").filter((part) => part !== "");
    const all = [...state.workloads.values()].flatMap((workload) => workload.events());
    return list(
      "Event",
      all.filter((event) => wanted.every((part) => matches(event, part))),
    );
  },
  horizontalpodautoscalers: (state) =>
    list(
      "HorizontalPodAutoscaler",
      [...state.autoscalers].map(([name, scaleTargetRef]) => ({
        metadata: { name },
        spec: { scaleTargetRef, maxReplicas: 3 },
      })),
    ),
  pingsources: pingSource,
  services: (_, { name }) => ({
    status: 200,
    body: {
      apiVersion: "serving.knative.dev/v1",
      kind: "Service",
      metadata: { name, uid: `uid-of-${name}` },
    },
  }),
  tokenreviews: tokenReview,
  subjectaccessreviews: accessReview,
  selfsubjectaccessreviews: (state, { user, body }) => {
    const { verb, resource } = (body as Review<Omit<AccessSpec, "user">>).spec.resourceAttributes;
    return reviewed("SelfSubjectAccessReview", !isDenied(state, `${verb} ${resource}`, user));
  },
};

function list(kind: string, items: readonly unknown[]): Answer {
  return { status: 200, body: { kind: `${kind}List`, apiVersion: "v1", metadata: {}, items } };
}

function matches(event: unknown, part: string): boolean {
  const [path = "", value] = part.split("=");
  return path.split(".").reduce((node, key) => (node as Record<string, unknown>)[key], event) === value;
}

function scale(state: State, request: ApiRequest): Answer {
  const plural = request.resource.split("/")[0] ?? "";
  const found = state.workloads.get(`${plural.slice(0, -1)}/${request.name}`);
  if (found === undefined) throw notFound(`${plural}.apps`, request.name);
  if (request.verb === "patch") found.writeScale(patched(found.scale(), request));
  if (request.verb === "update") found.writeScale(request.body as Record<string, unknown>);
  return { status: 200, body: found.scale() };
}

function pingSource({ pingSources }: State, { verb, name, body }: ApiRequest): Answer {
  if (verb === "create") {
    const source = body as Record<string, unknown> & { readonly metadata: { readonly name: string } };
    const created = source.metadata.name;
    const there = pingSources.get(created) as
      { readonly metadata: { readonly deletionTimestamp?: string } } | undefined;
    if (there !== undefined) {
      const isGoing = there.metadata.deletionTimestamp !== undefined;
      const what = `${isGoing ? "object is being deleted: " : ""}pingsources.sources.knative.dev "${created}"`;
      throw new ApiStatus(409, "AlreadyExists", `${what} already exists`);
    }
    pingSources.set(created, source);
    return { status: 201, body: source };
  }
  const found = pingSources.get(name);
  if (verb === "list") return list("PingSource", [...pingSources.values()]);
  if (found === undefined) throw notFound("pingsources.sources.knative.dev", name);
  if (verb === "delete") pingSources.delete(name);
  return { status: 200, body: found };
}

type Review<Spec> = { readonly spec: Spec };

function tokenReview({ users }: State, { body }: ApiRequest): Answer {
  const { token, audiences = [] } = (
    body as Review<{ readonly token: string; readonly audiences?: string[] }>
  ).spec;
  const user = users.get(token);
  const meantFor = user?.audiences ?? [];
  const shared = meantFor === "unchecked" ? [] : audiences.filter((audience) => meantFor.includes(audience));
  const isGood =
    user !== undefined && user.isExpired !== true && (shared.length > 0 || meantFor === "unchecked");
  const status = isGood
    ? {
        authenticated: true,
        user: { username: user.name, uid: `uid-of-${user.name}`, groups: ["system:authenticated"] },
        audiences: shared,
      }
    : { user: {}, error: "[invalid bearer token, token lookup failed]" };
  return {
    status: 201,
    body: { kind: "TokenReview", apiVersion: "authentication.k8s.io/v1", metadata: {}, spec: {}, status },
  };
}

type AccessSpec = {
  readonly user: string;
  readonly resourceAttributes: { readonly verb: string; readonly resource: string };
};

function accessReview({ granted }: State, { body }: ApiRequest): Answer {
  const {
    user,
    resourceAttributes: { verb, resource },
  } = (body as Review<AccessSpec>).spec;
  return reviewed("SubjectAccessReview", granted.has(`${user} ${verb} ${resource}`));
}

function reviewed(kind: string, allowed: boolean): Answer {
  const body = { kind, apiVersion: "authorization.k8s.io/v1", metadata: {}, spec: {}, status: { allowed } };
  return { status: 201, body };
}

async function selfSigned(folder: string): Promise<Identity> {
  const [key, cert] = [join(folder, "tls.key"), join(folder, "tls.crt")];
  const subject = ["-subj", "/CN=kubernetes", "-addext", `subjectAltName=IP:${HOST}`];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
  await execa("openssl", [
    "req",
    "-x509",
    "-nodes",
    "-days",
    "2",
    ...curve,
    "-keyout",
    key,
    "-out",
    cert,
    ...subject,
  ]);
  return { key: await readFile(key, "utf8"), cert: await readFile(cert, "utf8") };
}

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
