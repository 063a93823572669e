import type { Authorize } from "../http/authorize.ts";
import type { Run } from "../run/run.ts";
import { DormouseError } from "../errors.ts";
import type { Log } from "../log.ts";
import { announce } from "../events/announce.ts";
import type { EventSink } from "../events/event-sink.ts";
import type { RunMonitor, RunsDependencies } from "../run/execute-run.ts";
import type { RecordDependencies } from "../run/record-run.ts";
import { spanOf, traced } from "../trace.ts";
import { lazily } from "../waiting.ts";
import { createRuns, type Runs, type StartedRun } from "../run/runs.ts";
import type { TestedConfig } from "./send-test.ts";
import { stayAwake, type StayAwake } from "./stay-awake.ts";
import type { Handler } from "../http/handler.ts";

/** How a function runs, as its environment says. */
export type ServeConfig = {
  readonly PORT: number;
  readonly SHUTDOWN_GRACE_SECONDS: number;
  readonly K_SERVICE?: string | undefined;
  readonly POD_NAMESPACE?: string | undefined;
  readonly ALLOWED_HOSTS?: readonly string[] | undefined;
  readonly TIMEOUT_SECONDS: number;
  readonly K_EVENT_PATH?: string | undefined;
} & TestedConfig;

/** What is known before the first connection is accepted. */
export type ServeOptions = {
  readonly log: Log;
  readonly config: ServeConfig;
  /** Why the function is not ready, if it is not: known at once, without asking anything. */
  readonly trouble: () => DormouseError | undefined;
};

type RunsInPod = {
  readonly runs: Runs;
  /** On Knative alone. */
  readonly awake: StayAwake | undefined;
};

/** Runs that keep their pod while they are active, on Knative, which would scale it away. */
export function runsInPod(
  config: ServeConfig,
  { eventsOf, ...dependencies }: RecordDependencies & { readonly eventsOf: (database: string) => EventSink },
): RunsInPod {
  const { K_SERVICE, K_EVENT_PATH, TIMEOUT_SECONDS } = config;
  const isOnKnative = K_SERVICE !== undefined && K_EVENT_PATH === undefined;
  const awake = isOnKnative ? stayAwake(TIMEOUT_SECONDS * 1000, dependencies.log) : undefined;
  const { log } = dependencies;
  const { HEARTBEAT_URL, PUSHGATEWAY_URL, OTEL_EXPORTER_OTLP_ENDPOINT: collector } = config;
  const monitor = allOf([
    late(HEARTBEAT_URL, async (url) => (await import("./heartbeat.ts")).heartbeat(url, config, log)),
    late(PUSHGATEWAY_URL, async (url) => (await import("./push-metrics.ts")).pushMetrics(url, config, log)),
    late(collector, async (url) => (await import("./trace-runs.ts")).traceRuns(url, config, log)),
    late(config.NOTIFY_URL ?? config.NOTIFY_SMTP_URL, async () =>
      (await import("./settle-troubles.ts")).settleTroubles(config.BACKUP_DIR),
    ),
  ]);
  const announceLeft: RunsDependencies["announce"] = (context, event) =>
    announce({ events: eventsOf(context.run.database), log }, context, event);
  const within: RunsDependencies["within"] =
    collector === undefined ? undefined : (run, work) => traced(spanOf(run), work);
  const more = { whileActive: awake?.whileActive, within, monitor, announce: announceLeft };
  return { runs: createRuns({ ...dependencies, ...more }), awake };
}

/** A monitor whose code the first run loads, if its setting is there. */
function late<Setting>(
  setting: Setting | undefined,
  load: (setting: Setting) => Promise<RunMonitor>,
): RunMonitor | undefined {
  if (setting === undefined) return undefined;
  const monitor = lazily(() => load(setting));
  return {
    begun: async (run) => (await monitor()).begun?.(run),
    ended: async (run, step) => (await monitor()).ended(run, step),
  };
}

/** Calls them all, side by side. */
function allOf(given: readonly (RunMonitor | undefined)[]): RunMonitor | undefined {
  const monitors = given.filter((monitor) => monitor !== undefined);
  if (monitors.length === 0) return undefined;
  return {
    begun: async (run) => void (await Promise.all(monitors.map(async (monitor) => monitor.begun?.(run)))),
    ended: async (run, step) => void (await Promise.all(monitors.map((monitor) => monitor.ended(run, step)))),
  };
}

/** A function, wired: what is left is to answer, to take up what was interrupted, and to end in order. */
export type Service = RunsInPod & {
  readonly handler: Handler;
  /**
   * Runs that an earlier process left unfinished, found before the first request: a run that begins later must not be
   * taken for one of them.
   */
  readonly interrupted: readonly Run[];
  readonly authorize: Authorize;
  /** Unset: every client that reaches the function may send an event. */
  readonly authorizeEvent?: Authorize | undefined;
  /** When every run has ended and the last answer has left. */
  readonly dispose?: (() => Promise<void>) | undefined;
};

export function resumeRun({ interrupted, handler, runs }: Service, log: Log): readonly StartedRun[] {
  return interrupted.map((run) => {
    log.info("run resumed", { run: run.id, attempt: run.attempt });
    return runs.resumeRun(run, handler.work);
  });
}

/**
 * Sends the events that an earlier process left unsent. The records of cull bear no seal, since cull knows no password: a
 * writer to the volume could have it send what it likes. Resolves when all of it is begun.
 */
export async function sendUnsent({ handler, runs }: Service, log: Log): Promise<void> {
  if (handler.kind === "cull") return;
  await runs.sendUnsent(handler.kind, handler.covers).catch((error: unknown) => {
    log.warn("records not read", { error: String(error) });
  });
}

export function stopped(): DormouseError {
  return new DormouseError("interrupted", "the pod was stopped before the run ended", {
    hint: "the run is resumed when the function starts again, within six hours",
  });
}
