import { randomUUID } from "node:crypto";
import { type Check, type Finding, good } from "../doctor/finding.ts";
import { sendToAll } from "../events/notify/notifier.ts";
import type { NotifyConfig, Receiver } from "../events/notify/receiver.ts";
import { listReceivers } from "../events/notify/receivers.ts";
import { findNamespace } from "../kubernetes/namespace.ts";
import type { Run } from "../run/run.ts";
import { monitorOf } from "./heartbeat.ts";
import { spanOf } from "../trace.ts";
import { type MetricsConfig, pushInfo } from "./push-metrics.ts";
import { exportSpans, type TraceConfig } from "./trace-runs.ts";
import { readMessage } from "../errors.ts";

export type TestedConfig = NotifyConfig &
  MetricsConfig &
  TraceConfig & {
    readonly HEARTBEAT_URL?: string | undefined;
    readonly PUSHGATEWAY_URL?: string | undefined;
    readonly OTEL_EXPORTER_OTLP_ENDPOINT?: string | undefined;
  };
type Tested = {
  readonly config: TestedConfig;
  readonly kind: Run["kind"];
  /** Unset where there are several. */
  readonly database: string | undefined;
};
type Seen = Omit<Finding, "check">;

const FIX = "check the address, and the proxy and certificates on the way there: docs/notifications.md";

/** One check for each target: that it took a test message, or why it did not. */
export function testChecks(config: TestedConfig, kind: Run["kind"]): readonly Check[] {
  const { HEARTBEAT_URL: monitor, PUSHGATEWAY_URL: gateway, OTEL_EXPORTER_OTLP_ENDPOINT: collector } = config;
  const tested = { config, kind, database: kind === "cull" ? "*" : config.POSTGRESQL_DATABASE };
  const checks = [
    ...listReceivers(config).map((receiver) => receiverCheck(receiver, tested)),
    ...(monitor === undefined ? [] : [monitorCheck(monitor, tested)]),
    ...(gateway === undefined ? [] : [gatewayCheck(gateway, tested)]),
    ...(collector === undefined ? [] : [collectorCheck(collector, tested)]),
  ];
  return checks.length > 0 ? checks : [{ name: "telling", run: async () => [NO_TARGET] }];
}

const NO_TARGET: Seen = {
  state: "warning",
  detail: "there is no target, so nothing was sent",
  fix: "set NOTIFY_URL, NOTIFY_SMTP_URL, HEARTBEAT_URL, PUSHGATEWAY_URL or OTEL_EXPORTER_OTLP_ENDPOINT: docs/notifications.md",
};

function receiverCheck(receiver: Receiver, { config, kind }: Tested): Check {
  const where = findNamespace(config.POD_NAMESPACE) ?? "";
  const message = {
    title: `test message of the ${kind} function`,
    lines: ["Nothing has happened. Messages about its runs come to this place."],
    isTrouble: false,
  };
  return {
    name: receiver.name,
    async run(signal) {
      const failed = await sendToAll([receiver], message, where, signal);
      return failed.length === 0 ? [good(`${receiver.host} took a test message`)] : failed.map(untaken);
    },
  };
}

/** A ping would count as a run that went well: only an entry in the monitor's log says nothing of one. */
function monitorCheck(url: string, { config, database }: Tested): Check {
  const { host } = new URL(url);
  const untested = (why: string): Seen => ({ state: "warning", detail: `${host}: nothing was sent: ${why}` });
  return {
    name: "heartbeat",
    async run(signal) {
      const own = monitorOf(url, database);
      if (own === undefined) return [untested("each database has a monitor of its own")];
      const { beat } = await import("../events/notify/heartbeat.ts");
      try {
        const isTaken = await beat(own, { state: "log" }, config, signal);
        return [isTaken ? good(`${host} took a log entry`) : untested("it takes every request for a run")];
      } catch (error) {
        return [untaken(readMessage(error))];
      }
    },
  };
}

function gatewayCheck(url: string, { config, kind, database = "*" }: Tested): Check {
  const { host } = new URL(url);
  return {
    name: "pushgateway",
    async run() {
      const why = await pushInfo({ url, config }, kind, database);
      return [why === undefined ? good(`${host} took dormouse_info`) : untaken(`${host}: ${why}`)];
    },
  };
}

function collectorCheck(url: string, { config, kind }: Tested): Check {
  const { host } = new URL(url);
  return {
    name: "collector",
    async run() {
      const now = new Date();
      const span = spanOf({ id: randomUUID(), acceptedAt: now });
      const whole = { name: "test", start: now, end: now, attributes: {} };
      const why = await exportSpans({ url, config }, kind, { span, whole, steps: [] });
      return [why === undefined ? good(`${host} took a test trace`) : untaken(`${host}: ${why}`)];
    },
  };
}

function untaken(detail: string): Seen {
  return { state: "fault", detail, fix: FIX };
}
