import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { BlockList, isIPv4 } from "node:net";
import type { Duplex } from "node:stream";
import { getCACertificates } from "node:tls";

export type HttpRequest = {
  readonly method: "GET" | "POST" | "OPTIONS";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
};

/** Of the target of a redirect only the host: the rest may hold a secret. */
export type HttpAnswer = { readonly status: number; readonly redirectsTo?: string | undefined };

/** The proxy for outgoing requests, and the authorities that sign the certificates there. */
export type OutboundConfig = {
  /** PEM of the authorities that Knative names for the sink. */
  readonly K_CA_CERTS?: string | undefined;
  readonly HTTP_PROXY?: string | undefined;
  readonly HTTPS_PROXY?: string | undefined;
  readonly NO_PROXY?: string | undefined;
  readonly TRUSTED_CA_FILE?: string | undefined;
};

/**
 * One request, through the proxy that the environment names, trusting its authorities and `authorities` (PEM) in addition
 * to the well-known ones. Redirects are answers here, and are not followed. Rejects without an answer.
 */
export async function sendHttp(
  url: string,
  { method, headers, body }: HttpRequest,
  {
    outbound,
    authorities = [],
  }: { readonly outbound: OutboundConfig; readonly authorities?: readonly string[] },
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const options = { method, headers, signal, agent: await agentFor(url, outbound, authorities) };
  const call = new URL(url).protocol === "https:" ? httpsRequest(url, options) : httpRequest(url, options);
  // An error of the connection after the answer says nothing about what was sent.
  call.on("error", () => undefined);
  call.end(body);
  // Where an answer is another protocol's, the connection comes with it, and is left to the one that asked.
  const answered = Promise.race([once(call, "response"), once(call, "upgrade")]);
  const [answer, socket] = (await answered) as [IncomingMessage, Duplex?];
  socket?.destroy();
  answer.on("error", () => undefined).resume();
  const { statusCode: status = 0, headers: given } = answer;
  const isRedirect = status >= 300 && status < 400;
  return { status, redirectsTo: isRedirect ? readHost(given.location, url) : undefined };
}

/** The agent for a request to `url`. */
export async function agentFor(
  url: string,
  outbound: OutboundConfig,
  authorities: readonly string[] = [],
): Promise<Agent> {
  const { HTTP_PROXY, HTTPS_PROXY, NO_PROXY } = outbound;
  const proxyEnv = { HTTP_PROXY, HTTPS_PROXY, NO_PROXY };
  if (new URL(url).protocol !== "https:") return new Agent({ proxyEnv });
  return new HttpsAgent({ ...(await trusted(outbound, authorities)), proxyEnv });
}

/** Read for each request, as the file of a Secret or ConfigMap is renewed. */
export async function trusted(
  { K_CA_CERTS: given, TRUSTED_CA_FILE: path }: OutboundConfig,
  authorities: readonly string[] = [],
): Promise<{ readonly ca?: string[] }> {
  const more = [
    ...authorities,
    ...(given === undefined ? [] : [given]),
    ...(path === undefined ? [] : [await readFile(path, "utf8")]),
  ];
  return more.length === 0 ? {} : { ca: [...getCACertificates("default"), ...more] };
}

/**
 * The proxy that tunnels to a host what is not HTTP, if there is one. NO_PROXY is read as the agents of Node read it, which
 * do not export that (https://nodejs.org/api/http.html#no_proxy-format).
 */
export function tunnelTo(
  host: string,
  port: number,
  { HTTPS_PROXY, NO_PROXY = "" }: OutboundConfig,
): string | undefined {
  const entries = NO_PROXY.toLowerCase()
    .split(",")
    .map((entry) => entry.trim());
  const name = host.toLowerCase();
  const isDirect = entries.some(
    (entry) =>
      ["*", name, `${name}:${port}`].includes(entry) ||
      (entry.startsWith(".") && `.${name}`.endsWith(entry)) ||
      (entry.startsWith("*.") && name.endsWith(entry.slice(1))) ||
      isInRange(name, entry),
  );
  return isDirect ? undefined : HTTPS_PROXY;
}

/** `10.0.0.0-10.0.255.255` */
function isInRange(host: string, entry: string): boolean {
  const [first = "", last = "", ...more] = entry.split("-");
  if (more.length > 0 || ![host, first, last].every((each) => isIPv4(each))) return false;
  const range = new BlockList();
  range.addRange(first, last);
  return range.check(host);
}

function readHost(location: string | undefined, base: string): string {
  return location !== undefined && URL.canParse(location, base) ? new URL(location, base).host : "nowhere";
}
