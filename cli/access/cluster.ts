import { CoreV1Api, CustomObjectsApi, KubeConfig } from "@kubernetes/client-node";
import { Failure, wrongUsage } from "../failure.ts";
import type { GlobalOptions } from "../program.ts";

/** The API, with the rights of this program's user, in one namespace. */
export type Cluster = {
  readonly config: KubeConfig;
  readonly namespace: string;
  readonly core: CoreV1Api;
  readonly custom: CustomObjectsApi;
};

/** As kubectl finds it: by the options, by KUBECONFIG, in the home folder. */
export function openCluster({ kubeconfig, context, namespace }: GlobalOptions): Cluster {
  const config = new KubeConfig();
  try {
    if (kubeconfig === undefined) config.loadFromDefault();
    else config.loadFromFile(kubeconfig);
  } catch (error) {
    throw wrongUsage(
      `the kubeconfig cannot be read: ${String(error)}`,
      "name one with --kubeconfig or KUBECONFIG",
    );
  }
  if (context !== undefined) {
    if (config.getContextObject(context) === null)
      throw wrongUsage(
        `there is no context ${JSON.stringify(context)}`,
        "kubectl config get-contexts lists them",
      );
    config.setCurrentContext(context);
  }
  if (config.getCurrentCluster() === null)
    throw wrongUsage(
      "no cluster is named",
      "name one in a kubeconfig, or reach the functions directly: --url",
    );
  const own = config.getContextObject(config.getCurrentContext())?.namespace;
  return {
    config,
    namespace: namespace ?? own ?? "default",
    core: config.makeApiClient(CoreV1Api),
    custom: config.makeApiClient(CustomObjectsApi),
  };
}

/** A rule of a Role, as its YAML has it. */
export type Rule = { readonly group: string; readonly resource: string; readonly verb: string };

/** Calls the API; a refusal names the rule that is missing and the Role that has it. */
export async function asking<Answer>(
  { namespace }: Cluster,
  rule: Rule,
  call: () => Promise<Answer>,
): Promise<Answer> {
  try {
    return await call();
  } catch (error) {
    const { message, status = refusedStatus(message) } = readAnswer(error);
    if (status === 403) throw forbidden(namespace, rule, message);
    const hint = status === 401 ? "log in to the cluster again" : "kubectl must reach the cluster as well";
    throw new Failure(`the Kubernetes API says no to ${rule.verb} ${rule.resource}: ${message}`, {
      code: "cluster",
      hint,
      cause: error,
    });
  }
}

export function readStatus(error: unknown): number | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "number" ? error.code : undefined;
}

function forbidden(namespace: string, { group, resource, verb }: Rule, message: string): Failure {
  const rule = `{apiGroups: [${JSON.stringify(group)}], resources: [${resource}], verbs: [${verb}]}`;
  return new Failure(message, {
    code: "right_missing",
    hint:
      `the right that is missing: ${rule}. The Role dormouse-cli has all that this program needs: ` +
      `kubectl create rolebinding dormouse-cli -n ${namespace} --role=dormouse-cli --user=NAME`,
  });
}

/** The client's error has the API's `Status` as text. Its sentence holds no part of the request. */
function readAnswer(error: unknown): { readonly status: number | undefined; readonly message: string } {
  const status = readStatus(error);
  const body = error instanceof Error && "body" in error ? error.body : undefined;
  return { status, message: sentenceIn(body) ?? readMessage(error) };
}

/** In the words of the package `ws`. */
function refusedStatus(message: string): number | undefined {
  const [, status] = /^Unexpected server response: (\d{3})$/.exec(message) ?? [];
  return status === undefined ? undefined : Number(status);
}

function sentenceIn(body: unknown): string | undefined {
  try {
    const status: unknown = typeof body === "string" ? JSON.parse(body) : body;
    return typeof status === "object" && status !== null && "message" in status
      ? String(status.message)
      : undefined;
  } catch {
    // A proxy on the way answers in its own words.
    return undefined;
  }
}

function readMessage(error: unknown): string {
  // A WebSocket that was refused: an event, whose message has the status.
  if (typeof error === "object" && error !== null && "message" in error && !(error instanceof Error))
    return String(error.message);
  if (!(error instanceof Error)) return String(error);
  const { message } = error.cause instanceof Error ? error.cause : error;
  return message === "" ? error.name : message;
}
