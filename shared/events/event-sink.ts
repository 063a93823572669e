import { createHash } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { CloudEvent, HTTP, type Headers } from "cloudevents";
import * as z from "zod";
import type { EventSink, OutcomeEvent } from "../backup/outcome-event.ts";
import { DormouseError } from "../errors.ts";
import { encodeHeaderValue } from "./header-value.ts";

export type SinkSettings = {
  /** K_SINK: where a SinkBinding points. */
  readonly url: string;
  /** K_CE_OVERRIDES, as a SinkBinding writes it: extensions to add to each event. */
  readonly overrides: string | undefined;
  /** The `source` of our events. */
  readonly source: string;
  readonly timeoutMs: number;
  /** Before each further try; their number bounds the tries. */
  readonly retryDelaysMs: readonly number[];
};

const overridesSchema = z.object({ extensions: z.record(z.string(), z.string()).optional() });

const TIMEOUT_MS = 10_000;
const RETRY_DELAYS_MS = [500, 2_000, 8_000];

/** The sink that K_SINK names; without it nobody listens. */
export function eventSink(
  url: string | undefined,
  overrides: string | undefined,
  source: string,
  now: () => Date,
): EventSink {
  if (url === undefined) return { send: async () => undefined };
  return httpEventSink(
    { url, overrides, source, timeoutMs: TIMEOUT_MS, retryDelaysMs: RETRY_DELAYS_MS },
    now,
  );
}

/** Posts events in binary mode. Throws `event_undelivered` when every try has failed. */
export function httpEventSink(settings: SinkSettings, now: () => Date): EventSink {
  const extensions = overridesSchema.parse(JSON.parse(settings.overrides || "{}")).extensions ?? {};
  return {
    async send(event, run, signal) {
      const { headers, body } = HTTP.binary(cloudEvent(event, run, settings, { extensions, now }));
      const request = { method: "POST", headers: encoded(headers), body: String(body) };
      for (const delayMs of [...settings.retryDelaysMs, undefined]) {
        const fault = await attempt(settings, request, signal);
        if (fault === undefined) return;
        if (delayMs === undefined || !fault.mayPass) throw undelivered(event, settings.url, fault.why);
        await pause(delayMs, undefined, { signal });
      }
    },
  };
}

/**
 * The id follows from the run and what it tells of, so that a receiver knows a repeat: a cull may tell of several. It
 * is short whatever the subject is called, for receivers bound the length of ids.
 */
function cloudEvent(
  event: OutcomeEvent,
  run: string,
  { source }: SinkSettings,
  { extensions, now }: { readonly extensions: Record<string, string>; readonly now: () => Date },
): CloudEvent<unknown> {
  const { type, subject, data } = event;
  const told = createHash("sha256").update(subject).digest("hex").slice(0, 16);
  const id = `${run}-${type.slice(type.lastIndexOf(".") + 1)}-${told}`;
  const time = now().toISOString();
  return new CloudEvent({
    ...extensions,
    id,
    source,
    type,
    subject,
    time,
    datacontenttype: "application/json",
    data,
  });
}

/** The SDK leaves attributes as they are. */
function encoded(headers: Headers): Record<string, string> {
  const encode = ([name, value]: [string, unknown]): [string, string] => [
    name,
    name.startsWith("ce-") ? encodeHeaderValue(String(value)) : String(value),
  ];
  return Object.fromEntries(Object.entries(headers).map(encode));
}

async function attempt(
  { url, timeoutMs }: SinkSettings,
  request: RequestInit,
  signal: AbortSignal,
): Promise<{ readonly why: string; readonly mayPass: boolean } | undefined> {
  try {
    const response = await fetch(url, {
      ...request,
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    });
    await response.body?.cancel();
    if (response.ok) return undefined;
    const mayPass = response.status >= 500 || [404, 408, 409, 429].includes(response.status);
    return { why: `status ${response.status}`, mayPass };
  } catch (error) {
    signal.throwIfAborted();
    const cause =
      error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
    return { why: cause, mayPass: true };
  }
}

function undelivered({ type }: OutcomeEvent, url: string, why: string): DormouseError {
  return new DormouseError("event_undelivered", `event ${type} did not reach ${new URL(url).host}: ${why}`, {
    hint: "check the sink that K_SINK names; the run itself is not affected",
  });
}
