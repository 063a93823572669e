import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { json } from "node:stream/consumers";
import * as z from "zod";
import { Gauge, Pushgateway, Registry } from "@prometheus-io/client";
import { agentFor, type OutboundConfig } from "../http-request.ts";
import { METRICS, type Sample } from "./metric-list.ts";

type Group = {
  readonly namespace: string;
  readonly function: string;
  readonly database: string;
};

const JOB = "dormouse";

/** Replaces those metrics of a group that are given, and leaves the others as they were pushed before. */
export async function pushGroup(target: Target, group: Group, samples: readonly Sample[]): Promise<void> {
  const registry = new Registry();
  for (const [name, given] of Map.groupBy(samples, (sample) => sample.name)) {
    const labelNames = Object.keys(given[0]?.labels ?? {});
    const gauge = new Gauge({ name, help: METRICS[name], labelNames, registers: [registry] });
    for (const { labels = {}, value } of given) gauge.set(labels, value);
  }
  const { resp } = await (await gateway(target, registry)).pushAdd(addressOf(group));
  refuseRedirect(resp);
}

export async function deleteGroup(target: Target, group: Group): Promise<void> {
  const { resp } = await (await gateway(target, new Registry())).delete(addressOf(group));
  refuseRedirect(resp);
}

/** The databases of which this function, and no other installation of the namespace, pushed something. */
export async function listGroups(
  { url, outbound, signal }: Target,
  own: { readonly namespace: string; readonly function: string; readonly service: string },
): Promise<readonly string[]> {
  const address = new URL(url);
  address.pathname = `${address.pathname.replace(/\/$/, "")}/api/v1/metrics`;
  const ask = address.protocol === "https:" ? httpsRequest : httpRequest;
  const asked = ask(address, { agent: await agentFor(url, outbound), signal });
  // A connection that breaks after the answer has begun fails the reading of that; unheard, it would end the process.
  asked.on("error", () => undefined).end();
  const [answer] = (await once(asked, "response")) as [IncomingMessage];
  if (answer.statusCode !== 200) throw new Error(`status ${answer.statusCode}`);
  const { data } = groupsSchema.parse(await json(answer));
  return data.flatMap(({ labels, dormouse_info: info }) => {
    const isOwn =
      labels.job === JOB &&
      labels.namespace === own.namespace &&
      labels.function === own.function &&
      info?.metrics.some((metric) => metric.labels?.["service"] === own.service);
    return isOwn === true && labels.database !== undefined ? [labels.database] : [];
  });
}

/** https://github.com/prometheus/pushgateway#query-api */
const groupsSchema = z.object({
  data: z.array(
    z.object({
      labels: z.object({
        job: z.optional(z.string()),
        namespace: z.optional(z.string()),
        function: z.optional(z.string()),
        database: z.optional(z.string()),
      }),
      dormouse_info: z.optional(
        z.object({
          metrics: z.array(z.object({ labels: z.optional(z.record(z.string(), z.string())) })),
        }),
      ),
    }),
  ),
});

type Target = { readonly url: string; readonly outbound: OutboundConfig; readonly signal: AbortSignal };

async function gateway({ url, outbound, signal }: Target, registry: Registry) {
  return new Pushgateway(url, { agent: await agentFor(url, outbound), signal }, registry);
}

/** A name may hold a slash, or nothing: https://github.com/prometheus/pushgateway#url explains `@base64`. */
function addressOf(group: Group) {
  const pairs = Object.entries(group).map(([name, value]) =>
    /^\w[\w.-]*$/.test(value)
      ? [name, value]
      : [`${name}@base64`, Buffer.from(value).toString("base64url") || "="],
  );
  return { jobName: JOB, groupings: Object.fromEntries(pairs) as Record<string, string> };
}

/** The client takes it for success; where it leads, nothing was pushed. */
function refuseRedirect(answer: unknown): void {
  const { statusCode = 0 } = answer as { readonly statusCode?: number };
  if (statusCode >= 300) throw new Error(`status ${statusCode}`);
}
