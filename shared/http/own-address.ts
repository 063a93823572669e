import { isIP } from "node:net";
import type { RequestHandler } from "express";
import { DormouseError } from "../errors.ts";

export type OwnAddress = {
  readonly service: string | undefined;
  readonly namespace: string | undefined;
  /** Of the cluster: `cluster.local`, mostly. */
  readonly domain: string;
  /** Names by which the function is reached from outside of the cluster; `*.` stands for anything before it. */
  readonly allowed: readonly string[];
};

/**
 * Keeps pages of others from using the browser of a person that reaches the function: a POST that a browser sends names
 * its page in Origin, and a name that was pointed at us (DNS rebinding) stands in Host. No other client sends Origin.
 */
export function refuseForeign(own: OwnAddress): RequestHandler {
  return (request, _, next) => {
    const host = readHost(request.get("host") ?? "");
    const isKnown = isOwn(host, own);
    // Where the names are not known, as outside of Knative, any will do; but no page comes from them.
    if (!isKnown && areKnown(own)) {
      throw new DormouseError("host_not_allowed", `this function is not called ${JSON.stringify(host)}`, {
        hint: "ask by the name of its service, or name this one in ALLOWED_HOSTS",
      });
    }
    const origin = request.get("origin");
    if (origin !== undefined && !(isKnown && readOrigin(origin) === request.get("host"))) {
      throw new DormouseError("origin_not_allowed", `a page of ${JSON.stringify(origin)} asks`, {
        hint: "no page of a browser may ask here; other clients send no Origin",
      });
    }
    next();
  };
}

function areKnown({ service, namespace, allowed }: OwnAddress): boolean {
  return (service !== undefined && namespace !== undefined) || allowed.length > 0;
}

/**
 * An address and `localhost` are asked of no DNS, so no other page can point them at us. What the cluster's own DNS has in the
 * namespace may be the service, a tag or a revision of it; no one outside of the cluster can have such a name.
 */
function isOwn(host: string, { service, namespace, domain, allowed }: OwnAddress): boolean {
  if (isIP(host) !== 0 || host === "localhost" || host === service) return true;
  if (allowed.some((name) => (name.startsWith("*.") ? host.endsWith(name.slice(1)) : host === name)))
    return true;
  if (service === undefined || namespace === undefined) return false;
  const isInCluster = host.endsWith(`.${namespace}.svc`);
  return host === `${service}.${namespace}` || isInCluster || host.endsWith(`.${namespace}.svc.${domain}`);
}

/** Without the port, the brackets of an IPv6 address, and the dot of the root. */
function readHost(header: string): string {
  return header
    .toLowerCase()
    .replace(/:\d+$/, "")
    .replace(/^\[(.*)\]$/, "$1")
    .replace(/\.$/, "");
}

function readOrigin(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
