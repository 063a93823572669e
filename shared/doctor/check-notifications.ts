import type { Run, RunStore } from "../run/run.ts";
import { isUnfinished } from "../run/run.ts";
import { good, type Check, type Finding } from "./finding.ts";

type Targets = {
  readonly NOTIFY_URL?: unknown;
  readonly NOTIFY_SMTP_URL?: unknown;
  readonly HEARTBEAT_URL?: unknown;
  readonly PUSHGATEWAY_URL?: unknown;
  readonly OTEL_EXPORTER_OTLP_ENDPOINT?: unknown;
};

/**
 * Whether chat, mail, monitor, Pushgateway and collector took what the last run sent, with its parts where it was of several
 * databases: each that did not is a step of the run.
 */
export function notificationChecks(
  config: Targets,
  runs: Pick<RunStore, "all">,
  kind: Run["kind"],
): readonly Check[] {
  const { NOTIFY_URL, NOTIFY_SMTP_URL, HEARTBEAT_URL, PUSHGATEWAY_URL, ...others } = config;
  const { OTEL_EXPORTER_OTLP_ENDPOINT: collector } = others;
  const given = [NOTIFY_URL, NOTIFY_SMTP_URL, HEARTBEAT_URL, PUSHGATEWAY_URL, collector];
  if (given.every((each) => each === undefined)) return [];
  const run: Check["run"] = async () => {
    const ended = (await runs.all(kind)).filter((run) => !isUnfinished(run));
    const last = ended.findLast(({ request }) => request["sweep"] === undefined);
    if (last === undefined) return [];
    const failed = [last, ...ended.filter(({ request }) => request["sweep"] === last.id)].flatMap(untaken);
    return failed.length > 0 ? failed : [good(`all targets took the messages of run ${last.id}`)];
  };
  return [{ name: "telling", run }];
}

function untaken({ id, steps }: Run): readonly Omit<Finding, "check">[] {
  const failed = steps.filter(({ step }) => step === "notification_failed");
  return failed.map(({ detail }) => ({
    state: "warning",
    detail: `run ${id}: ${String(detail?.["error"])}`,
    fix: "check the address, and the proxy and certificates on the way there: docs/notifications.md",
  }));
}
