import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { getCACertificates } from "node:tls";
import type { SinkConfig } from "./sink-config.ts";
import { trustBundles } from "./trust-bundles.ts";

export type SinkRequest = {
  readonly method: "POST" | "OPTIONS";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
};

/** Where a redirect leads is told by its host: the rest may hold a secret. */
export type SinkAnswer = { readonly status: number; readonly redirectsTo?: string | undefined };

/**
 * One request to the sink, by the same way whoever asks: through the proxy that the environment names, trusting the
 * sink's own certificates beside the well-known ones. Redirects are answers here, and are not followed.
 */
export async function askSink(
  config: SinkConfig,
  { method, headers, body }: SinkRequest,
  signal: AbortSignal,
): Promise<SinkAnswer> {
  const { K_SINK = "", K_CA_CERTS: ca, HTTP_PROXY, HTTPS_PROXY, NO_PROXY } = config;
  const proxyEnv = { HTTP_PROXY, HTTPS_PROXY, NO_PROXY };
  const authorities = [...(ca === undefined ? [] : [ca]), ...(await trustBundles())];
  const trusted = authorities.length === 0 ? {} : { ca: [...getCACertificates("default"), ...authorities] };
  const options = { method, headers: { ...headers, ...(await bearer(config)) }, signal };
  const call =
    new URL(K_SINK).protocol === "https:"
      ? httpsRequest(K_SINK, { ...options, agent: new HttpsAgent({ ...trusted, proxyEnv }) })
      : httpRequest(K_SINK, { ...options, agent: new Agent({ proxyEnv }) });
  // Whatever becomes of the connection once there is an answer: it says nothing of the event.
  call.on("error", () => undefined);
  call.end(body);
  const [answer] = (await once(call, "response")) as [IncomingMessage];
  answer.on("error", () => undefined).resume();
  const { statusCode: status = 0, headers: answered } = answer;
  const isRedirect = status >= 300 && status < 400;
  return { status, redirectsTo: isRedirect ? hostOf(answered.location, K_SINK) : undefined };
}

/** Read for each request: Knative renews it. */
async function bearer({ SINK_TOKEN_FILE: path, K_SINK_AUDIENCE: audience }: SinkConfig): Promise<Bearer> {
  if (path === undefined) return {};
  try {
    return { authorization: `Bearer ${(await readFile(path, "utf8")).trim()}` };
  } catch (error) {
    if (audience === undefined) return {};
    throw new Error(`there is no token for ${audience} at ${path}`, { cause: error });
  }
}

type Bearer = { readonly authorization?: string };

function hostOf(location: string | undefined, base: string): string {
  return location !== undefined && URL.canParse(location, base) ? new URL(location, base).host : "nowhere";
}
