import { readFileSync } from "node:fs";

/** Every pod of a cluster looks names up in its own namespace first; Knative gives a pod no other word of it. */
const SEARCH = /^search\s+(?:\S+\s+)*?([a-z0-9-]+)\.svc\./m;

/** The namespace of this pod, as its resolver is set up (https://kubernetes.io/docs/concepts/services-networking/dns-pod-service). */
export function namespaceOf(given: string | undefined, path = "/etc/resolv.conf"): string | undefined {
  if (given !== undefined) return given;
  try {
    return SEARCH.exec(readFileSync(path, "utf8"))?.[1];
  } catch {
    // Outside of a container there may be none.
    return undefined;
  }
}
