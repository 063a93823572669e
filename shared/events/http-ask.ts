import { once } from "node:events";
import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { getCACertificates } from "node:tls";

export type HttpRequest = {
  readonly method: "GET" | "POST" | "OPTIONS";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
};

/** Where a redirect leads is told by its host: the rest may hold a secret. */
export type HttpAnswer = { readonly status: number; readonly redirectsTo?: string | undefined };

export type Proxies = {
  readonly HTTP_PROXY?: string | undefined;
  readonly HTTPS_PROXY?: string | undefined;
  readonly NO_PROXY?: string | undefined;
};

/**
 * One request, through the proxy that the environment names, trusting `authorities` (PEM) beside the well-known ones.
 * Redirects are answers here, and are not followed. Rejects where there is no answer.
 */
export async function askHttp(
  url: string,
  { method, headers, body }: HttpRequest,
  { proxies, authorities = [] }: { readonly proxies: Proxies; readonly authorities?: readonly string[] },
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const { HTTP_PROXY, HTTPS_PROXY, NO_PROXY } = proxies;
  const proxyEnv = { HTTP_PROXY, HTTPS_PROXY, NO_PROXY };
  const trusted = authorities.length === 0 ? {} : { ca: [...getCACertificates("default"), ...authorities] };
  const options = { method, headers, signal };
  const call =
    new URL(url).protocol === "https:"
      ? httpsRequest(url, { ...options, agent: new HttpsAgent({ ...trusted, proxyEnv }) })
      : httpRequest(url, { ...options, agent: new Agent({ proxyEnv }) });
  // Whatever becomes of the connection once there is an answer: it says nothing of what was sent.
  call.on("error", () => undefined);
  call.end(body);
  const [answer] = (await once(call, "response")) as [IncomingMessage];
  answer.on("error", () => undefined).resume();
  const { statusCode: status = 0, headers: answered } = answer;
  const isRedirect = status >= 300 && status < 400;
  return { status, redirectsTo: isRedirect ? readHost(answered.location, url) : undefined };
}

function readHost(location: string | undefined, base: string): string {
  return location !== undefined && URL.canParse(location, base) ? new URL(location, base).host : "nowhere";
}
