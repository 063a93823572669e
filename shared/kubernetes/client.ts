import type {
  AppsV1Api,
  AuthenticationV1Api,
  AuthorizationV1Api,
  AutoscalingV2Api,
  ConfigurationOptions,
  CoreV1Api,
  CustomObjectsApi,
  KubeConfig,
} from "@kubernetes/client-node";
import { lazily } from "../waiting.ts";
import { DormouseError } from "../errors.ts";

type ClusterSettings = {
  /** The file that KUBECONFIG names, for use outside of a cluster. Without it the pod's own service account counts. */
  readonly kubeconfig?: string | undefined;
  /** How long one call may take. */
  readonly timeoutMs?: number | undefined;
  /** Stands before the paths of the service account, so that they can be elsewhere. */
  readonly root?: string | undefined;
};

/** The Kubernetes API, with the account and in the namespace of this pod. */
export type Cluster = {
  readonly namespace: string;
  readonly apps: AppsV1Api;
  readonly core: CoreV1Api;
  readonly autoscaling: AutoscalingV2Api;
  readonly custom: CustomObjectsApi;
  readonly authentication: AuthenticationV1Api;
  readonly authorization: AuthorizationV1Api;
};

/** Goes with each call: its time limit, and the content type where the call has a body. */
export type CallOptions = ConfigurationOptions;

export type CallCluster = {
  /**
   * Calls the API. Throws `ApiRefusal` when it answers with 4xx, `cluster_unreachable` when it does not answer in time,
   * or with 429 or 5xx, and the reason of `signal` when that aborts.
   */
  <Answer>(
    signal: AbortSignal,
    call: (cluster: Cluster, options: CallOptions) => Promise<Answer>,
  ): Promise<Answer>;
};

/** The API understood the call and says no. */
export class ApiRefusal extends Error {
  override readonly name = "ApiRefusal";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const TIMEOUT_MS = 10_000;

/** The client is the slowest import of all: it is loaded by the first call, and only then. */
export function clusterCaller({ timeoutMs = TIMEOUT_MS, ...settings }: ClusterSettings): CallCluster {
  const connected = lazily(() => connect(settings));
  return async (signal, call) => {
    const cluster = await connected();
    const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    try {
      return await call(cluster, await withSignal(limit));
    } catch (error) {
      signal.throwIfAborted();
      throw ofApi(error, timeoutMs);
    }
  };
}

/** The API takes no other type for a patch of single operations; named, so that no default of the client matters. */
export async function asJsonPatch(options: CallOptions): Promise<CallOptions> {
  const { PatchStrategy, setHeaderOptions } = await import("@kubernetes/client-node");
  return setHeaderOptions("Content-Type", PatchStrategy.JsonPatch, options);
}

async function connect({ kubeconfig, root }: ClusterSettings): Promise<Cluster> {
  const client = await import("@kubernetes/client-node");
  const config = new client.KubeConfig();
  if (kubeconfig === undefined) config.loadFromCluster(root);
  else load(config, kubeconfig);
  return {
    namespace: findNamespace(config),
    apps: config.makeApiClient(client.AppsV1Api),
    core: config.makeApiClient(client.CoreV1Api),
    autoscaling: config.makeApiClient(client.AutoscalingV2Api),
    custom: config.makeApiClient(client.CustomObjectsApi),
    authentication: config.makeApiClient(client.AuthenticationV1Api),
    authorization: config.makeApiClient(client.AuthorizationV1Api),
  };
}

function load(config: KubeConfig, kubeconfig: string): void {
  try {
    config.loadFromFile(kubeconfig);
  } catch (error) {
    throw new DormouseError("configuration_invalid", `KUBECONFIG names ${kubeconfig}, which cannot be read`, {
      hint: "unset it in a cluster: a pod has an account of its own",
      cause: error,
    });
  }
}

function findNamespace(config: KubeConfig): string {
  const namespace = config.getContextObject(config.getCurrentContext())?.namespace?.trim();
  if (namespace) return namespace;
  throw new DormouseError("configuration_invalid", "the namespace of this function is not known", {
    hint: "mount the token of the service account (automountServiceAccountToken), or name a namespace in KUBECONFIG",
  });
}

/** The client knows no time limit of its own; a middleware puts a signal on the request. */
async function withSignal(signal: AbortSignal): Promise<CallOptions> {
  const { Observable } = await import("@kubernetes/client-node");
  return {
    middlewareMergeStrategy: "append",
    middleware: [
      {
        pre(context) {
          context.setSignal(signal);
          return new Observable(Promise.resolve(context));
        },
        post: (context) => new Observable(Promise.resolve(context)),
      },
    ],
  };
}

function ofApi(error: unknown, timeoutMs: number): Error {
  if (error instanceof DormouseError) return error;
  const answer = readAnswer(error);
  if (answer === undefined) return unreachable(describeCause(error, timeoutMs), error);
  const { status, message } = answer;
  if (status === 401) return unrecognised(message);
  if (status === 429 || status >= 500) return unreachable(`status ${status}: ${message}`);
  return new ApiRefusal(status, message);
}

/** An `ApiException`, by its shape: its class is not at hand before the client is loaded. */
function readAnswer(error: unknown): { readonly status: number; readonly message: string } | undefined {
  if (!(error instanceof Error) || !("code" in error) || !("body" in error)) return undefined;
  if (typeof error.code !== "number") return undefined;
  return { status: error.code, message: readMessage(error.body) };
}

/** A `Status` of the API, which the client mostly leaves as text. Its sentence holds no part of the request. */
function readMessage(body: unknown): string {
  try {
    const status: unknown = typeof body === "string" ? JSON.parse(body) : body;
    if (typeof status === "object" && status !== null && "message" in status) return String(status.message);
  } catch {
    // The body of a proxy on the way is not useful to the operator.
  }
  return "no reason given";
}

function describeCause(error: unknown, timeoutMs: number): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return `no answer within ${timeoutMs / 1000} s`;
  return error.cause instanceof Error ? error.cause.message : error.message;
}

/**
 * A pod's token ends with the pod, whose process may outlive both for seconds: that says nothing of rights, and a process that goes
 * on waiting is ended or has a new token soon.
 */
function unrecognised(message: string): DormouseError {
  return new DormouseError(
    "cluster_unreachable",
    `the Kubernetes API does not accept this pod's token: ${message}`,
    {
      hint: "its pod may just be going; else check the account's token: it is mounted and renewed by the kubelet",
    },
  );
}

function unreachable(why: string, cause?: unknown): DormouseError {
  return new DormouseError("cluster_unreachable", `the Kubernetes API did not answer: ${why}`, {
    hint: "check the API server, and that network policies let this pod reach it",
    cause,
  });
}
