import { type Answer, type ApiRequest, ApiStatus, notFound, patched } from "./fake-api-server.ts";
import { accessReview, selfAccessReview, tokenReview } from "./fake-reviews.ts";
import type { State } from "./fake-state.ts";

export async function respond(state: State, request: ApiRequest): Promise<Answer> {
  if (state.how === "is silent") return new Promise(() => undefined);
  if (state.how === "is overloaded")
    throw new ApiStatus(503, "ServiceUnavailable", "the server is currently unable to handle the request");
  if (state.how === "rejects tokens") throw new ApiStatus(401, "Unauthorized", "Unauthorized");
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
  selfsubjectaccessreviews: selfAccessReview,
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
