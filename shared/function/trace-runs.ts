import type { OutboundConfig } from "../events/http-request.ts";
import { type SpanData, spansOf } from "../events/traces/run-spans.ts";
import { findNamespace } from "../kubernetes/namespace.ts";
import type { Log } from "../log.ts";
import type { RunMonitor } from "../run/execute-run.ts";
import { isUnfinished, type Run } from "../run/run.ts";
import { type RunSpan, spanOf } from "../trace.ts";
import { version } from "../version.ts";
import { readMessage } from "../errors.ts";

export type TraceConfig = OutboundConfig & {
  readonly OTEL_EXPORTER_OTLP_HEADERS?: Readonly<Record<string, string>> | undefined;
  readonly POD_NAMESPACE?: string | undefined;
  readonly K_SERVICE?: string | undefined;
};

const WITHIN_MS = 10_000;

/** Exports each run that has ended as one trace, made of its record: while the run goes on that costs it nothing. */
export function traceRuns(url: string, config: TraceConfig, log: Log): RunMonitor {
  return {
    async ended(run, step) {
      // What is resumed goes on in the same span.
      if (isUnfinished(run)) return;
      const why = await exportSpans({ url, config }, run.kind, { span: spanOf(run), ...spansOf(run) });
      if (why === undefined) return;
      const { host } = new URL(url);
      log.warn("trace not exported", { run: run.id, host, error: why });
      await step("notification_failed", { to: "collector", error: `${host}: ${why}` });
    },
  };
}

type Target = { readonly url: string; readonly config: TraceConfig };
type Spans = { readonly span: RunSpan; readonly whole: SpanData; readonly steps: readonly SpanData[] };

/** Resolves to why the collector did not take them. */
export async function exportSpans(
  { url, config }: Target,
  kind: Run["kind"],
  spans: Spans,
): Promise<string | undefined> {
  const { OTEL_EXPORTER_OTLP_HEADERS: headers = {}, POD_NAMESPACE, K_SERVICE } = config;
  const namespace = findNamespace(POD_NAMESPACE);
  const resource = {
    "service.name": K_SERVICE ?? `dormouse-${kind}`,
    "service.version": version,
    ...(namespace === undefined ? {} : { "k8s.namespace.name": namespace }),
  };
  try {
    const { exportTrace } = await import("../events/traces/export-trace.ts");
    const collector = { url, headers, outbound: config, signal: AbortSignal.timeout(WITHIN_MS) };
    return await exportTrace(collector, { ...spans, resource });
  } catch (error) {
    return readMessage(error);
  }
}
