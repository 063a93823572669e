import { readFileSync } from "node:fs";

/** Every pod of a cluster looks names up in its own namespace first; Knative gives a pod no other word of it. */
const SEARCH = /^search\s+(?:\S+\s+)*?([a-z0-9-]+)\.svc\.(\S+)/m;

/** The namespace of this pod, as its resolver is set up (https://kubernetes.io/docs/concepts/services-networking/dns-pod-service). */
export function findNamespace(given: string | undefined, path?: string): string | undefined {
  return given ?? searched(path)?.[1];
}

/** What the names of the cluster's services end in. */
export function clusterDomain(path?: string): string {
  return searched(path)?.[2]?.replace(/\.$/, "") ?? "cluster.local";
}

function searched(path = "/etc/resolv.conf"): RegExpExecArray | undefined {
  try {
    return SEARCH.exec(readFileSync(path, "utf8")) ?? undefined;
  } catch {
    // Outside of a container there may be none.
    return undefined;
  }
}
