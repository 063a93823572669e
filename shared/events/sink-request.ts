import { readFile } from "node:fs/promises";
import { sendHttp, type HttpAnswer, type HttpRequest } from "./http-request.ts";
import type { SinkConfig } from "./sink-config.ts";
import { trustBundles } from "./trust-bundles.ts";

/** One request to the sink, for events and for the doctor, with the sink's own authorities and its token. */
export async function sendToSink(
  config: SinkConfig,
  request: HttpRequest,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const { K_SINK = "" } = config;
  const authorities = await trustBundles();
  const headers = { ...request.headers, ...(await bearer(config)) };
  return sendHttp(K_SINK, { ...request, headers }, { outbound: config, authorities }, signal);
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
