import { createHash } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { CloudEvent, HTTP, type Headers } from "cloudevents";
import { DormouseError } from "../errors.ts";
import type { OutcomeEvent } from "../run/run.ts";
import { encodeHeaderValue } from "./header-value.ts";
import type { SinkConfig } from "./sink-config.ts";
import { describeRefusal, type SinkFault } from "./sink-fault.ts";
import type { HttpRequest } from "./http-request.ts";
import { sendOnce } from "./send-twice.ts";
import { traceHeaders } from "../trace.ts";

export type EventSink = {
  /**
   * Delivers once or more, within a bound, or throws. `run` makes the id, together with type and subject, so that a
   * receiver recognizes a repeat; the caller reports a failure and never lets it fail a good backup.
   */
  send(event: OutcomeEvent, run: string, signal: AbortSignal): Promise<void>;
};

export type SinkSettings = {
  /** The `source` of our events. */
  readonly source: string;
  readonly timeoutMs: number;
  /** Before each further try; their number bounds the tries. */
  readonly retryDelaysMs: readonly number[];
};

const TIMEOUT_MS = 10_000;
const RETRY_DELAYS_MS = [500, 2_000, 8_000];
/** The attributes of an event, and what the SDK takes for such: no extension changes them. */
const OWN = new Set([
  "id",
  "source",
  "type",
  "subject",
  "time",
  "specversion",
  "datacontenttype",
  "dataschema",
  "data",
  "data_base64",
  "datacontentencoding",
  "schemaurl",
]);

/** The sink that K_SINK names; without it no event goes out. */
export function eventSink(config: SinkConfig, source: string): EventSink {
  if (config.K_SINK === undefined) return { send: async () => undefined };
  return httpEventSink(config, { source, timeoutMs: TIMEOUT_MS, retryDelaysMs: RETRY_DELAYS_MS });
}

/** Posts events in binary mode. Throws `event_undelivered` when every try has failed. */
export function httpEventSink(config: SinkConfig, settings: SinkSettings): EventSink {
  return {
    async send(event, run, signal) {
      const { headers, body } = HTTP.binary(cloudEvent(event, run, { config, settings }));
      const sent = { ...encoded(headers), ...traceHeaders() };
      const request = { method: "POST", headers: sent, body: String(body) } as const;
      for (const delayMs of [...settings.retryDelaysMs, undefined]) {
        const fault = await sendOnce((limit) => post(config, request, limit), settings.timeoutMs, signal);
        if (fault === undefined) return;
        if (delayMs === undefined || !fault.mayPass) throw undelivered(event, config, fault);
        await pause(delayMs, undefined, { signal });
      }
    },
  };
}

type Sending = {
  readonly config: SinkConfig;
  readonly settings: SinkSettings;
};

/**
 * The id follows from run, type and subject, so that a receiver recognizes a repeat: a cull may send several. It is short
 * whatever the subject is called, for receivers bound the length of ids.
 */
function cloudEvent(
  { type, subject, data }: OutcomeEvent,
  run: string,
  { config, settings }: Sending,
): CloudEvent<unknown> {
  const hash = createHash("sha256").update(subject).digest("hex").slice(0, 16);
  return new CloudEvent({
    ...listExtensions(config),
    ...traceHeaders(),
    id: `${run}-${type.slice(type.lastIndexOf(".") + 1)}-${hash}`,
    source: settings.source,
    type,
    subject,
    time: new Date().toISOString(),
    datacontenttype: "application/json",
    data,
  });
}

/** Knative lets their names have capitals, and CloudEvents do not. */
function listExtensions({ K_CE_OVERRIDES }: SinkConfig): Readonly<Record<string, string>> {
  const given = Object.entries(K_CE_OVERRIDES?.extensions ?? {});
  const extensions = given.map(([name, value]) => [name.toLowerCase(), String(value)] as const);
  return Object.fromEntries(extensions.filter(([name]) => !OWN.has(name)));
}

/** The SDK leaves attributes as they are. */
function encoded(headers: Headers): Record<string, string> {
  const encode = ([name, value]: [string, unknown]): [string, string] => [
    name,
    name.startsWith("ce-") ? encodeHeaderValue(String(value)) : String(value),
  ];
  return Object.fromEntries(Object.entries(headers).map(encode));
}

async function post(
  config: SinkConfig,
  request: HttpRequest,
  signal: AbortSignal,
): Promise<SinkFault | undefined> {
  // Loaded by the first event: most of a day is without one.
  const { sendToSink } = await import("./sink-request.ts");
  return describeRefusal(await sendToSink(config, request, signal));
}

function undelivered(
  { type }: OutcomeEvent,
  { K_SINK = "" }: SinkConfig,
  { why, hint }: SinkFault,
): DormouseError {
  const { host } = new URL(K_SINK);
  return new DormouseError("event_undelivered", `event ${type} did not reach ${host}: ${why}`, { hint });
}
