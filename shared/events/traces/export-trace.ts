import { type Context, ROOT_CONTEXT, type Span, SpanStatusCode, trace, TraceFlags } from "@opentelemetry/api";
import { ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  AlwaysOnSampler,
  RandomIdGenerator,
  type ReadableSpan,
  type SpanProcessor,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { RunSpan, SpanContext } from "../../trace.ts";
import { sendTwice } from "../send-twice.ts";
import { describeRefusal } from "../sink-fault.ts";
import { sendHttp, type OutboundConfig } from "../http-request.ts";
import type { SpanData } from "./run-spans.ts";

type Collector = {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly outbound: OutboundConfig;
  readonly signal: AbortSignal;
};

type Traced = {
  /** The ids of the span of the whole, and below what it stands. */
  readonly span: RunSpan;
  readonly whole: SpanData;
  readonly steps: readonly SpanData[];
  /** What says of whom it is: `service.name` and the like. */
  readonly resource: Readonly<Record<string, string>>;
};

/** Sends one trace. Resolves to why it was not taken. */
export async function exportTrace(
  { url, headers, outbound, signal }: Collector,
  traced: Traced,
): Promise<string | undefined> {
  const body = ProtobufTraceSerializer.serializeRequest(makeSpans(traced));
  if (body === undefined) throw new Error("the trace cannot be written");
  const address = new URL(url);
  // https://opentelemetry.io/docs/specs/otel/protocol/exporter/#endpoint-urls-for-otlphttp
  address.pathname = `${address.pathname.replace(/\/$/, "")}/v1/traces`;
  const request = {
    method: "POST",
    headers: { ...headers, "content-type": "application/x-protobuf" },
    body,
  } as const;
  return sendTwice(
    async (limit) => describeRefusal(await sendHttp(address.href, request, { outbound }, limit)),
    signal,
  );
}

/** By the SDK, which gives each its ids: that of the whole is known to others already. */
function makeSpans({ span, whole, steps, resource }: Traced): ReadableSpan[] {
  const ended: ReadableSpan[] = [];
  const random = new RandomIdGenerator();
  const ids = [span.spanId];
  const provider = new TracerProvider({
    // Whatever a proxy has decided of the request: a run is rare, and looked for.
    sampler: new AlwaysOnSampler(),
    resource: resourceFromAttributes(resource),
    idGenerator: {
      generateTraceId: () => span.traceId,
      generateSpanId: () => ids.shift() ?? random.generateSpanId(),
    },
    spanProcessors: [collecting(ended)],
  });
  const tracer = provider.getTracer("dormouse");
  const start = ({ name, start: startTime, attributes }: SpanData, context: Context) =>
    tracer.startSpan(name, { startTime, attributes: { ...attributes } }, context);
  const root = start(whole, span.parent === undefined ? ROOT_CONTEXT : below(span.parent));
  for (const step of steps) end(start(step, trace.setSpan(ROOT_CONTEXT, root)), step);
  end(root, whole);
  return ended;
}

function collecting(ended: ReadableSpan[]): SpanProcessor {
  const nothing = async (): Promise<void> => undefined;
  return {
    onStart: () => undefined,
    onEnd: (span) => void ended.push(span),
    forceFlush: nothing,
    shutdown: nothing,
  };
}

function below(parent: SpanContext): Context {
  const context = { ...parent, traceFlags: TraceFlags.SAMPLED, isRemote: true };
  return trace.setSpanContext(ROOT_CONTEXT, context);
}

function end(span: Span, { end: endTime, fault }: SpanData): void {
  if (fault !== undefined)
    span.setAttribute("error.type", fault).setStatus({ code: SpanStatusCode.ERROR, message: fault });
  span.end(endTime);
}
