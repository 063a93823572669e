import { statfs } from "../catalog/volume/volume-calls.ts";
import type { Sample } from "../events/metrics/metric-list.ts";
import type { Volume } from "../events/metrics/read-metrics.ts";
import type { Group } from "../events/metrics/pushgateway.ts";
import type { Way } from "../events/http-ask.ts";
import { findNamespace } from "../kubernetes/namespace.ts";
import type { Log } from "../log.ts";
import type { RunMonitor } from "../run/execute-run.ts";
import { ALL_DATABASES, type Run } from "../run/run.ts";
import { version } from "../version.ts";
import { isWork } from "./heartbeat.ts";

type MetricsConfig = Way & {
  readonly PUSHGATEWAY_URL?: string | undefined;
  readonly BACKUP_DIR: string;
  readonly POD_NAMESPACE?: string | undefined;
  readonly K_SERVICE?: string | undefined;
  /** Unset where there are several. */
  readonly POSTGRESQL_DATABASE?: string | undefined;
};

const WITHIN_MS = 10_000;
const TRIES = 2;

/** Pushes what a run knows to PUSHGATEWAY_URL when it has ended, for it cannot be scraped then. It costs a run nothing. */
export function pushMetrics(config: MetricsConfig, log: Log): RunMonitor | undefined {
  const { PUSHGATEWAY_URL: url } = config;
  if (url === undefined) return undefined;
  return {
    begun: async () => undefined,
    async ended(run, step) {
      // Of a run over all databases each part pushes what is its own.
      if (!isWork(run) || run.database === ALL_DATABASES) return;
      const signal = AbortSignal.timeout(WITHIN_MS);
      const why = await tried(() => push({ url, way: config, signal }, config, run));
      if (why === undefined) return;
      const { host } = new URL(url);
      log.warn("metrics not pushed", { run: run.id, host, error: why });
      await step("notification_failed", { to: "pushgateway", error: `${host}: ${why}` });
    },
  };
}

type PushTarget = { readonly url: string; readonly way: Way; readonly signal: AbortSignal };

/** Then deletes what a database had pushed that is no longer this function's: it would be an alarm for ever. */
async function push(target: PushTarget, config: MetricsConfig, run: Run): Promise<void> {
  const { readMetrics } = await import("../events/metrics/read-metrics.ts");
  const { deleteGroup, listGroups, pushGroup } = await import("../events/metrics/pushgateway.ts");
  const namespace = findNamespace(config.POD_NAMESPACE) ?? "";
  const group = (database: string): Group => ({ namespace, function: run.kind, database });
  const service = config.K_SERVICE ?? run.kind;
  const info: Sample = {
    name: "dormouse_info",
    value: 1,
    labels: { version, service },
  };
  const metrics = readMetrics(run, await lookAtVolume(config.BACKUP_DIR));
  const pushed = [...metrics].map(([database, samples]) =>
    pushGroup(target, group(database), [info, ...samples]),
  );
  await Promise.all(pushed);
  const current = run.kind === "cull" ? [...metrics.keys()] : config.POSTGRESQL_DATABASE;
  if (current === undefined || run.state !== "succeeded") return;
  const known = await listGroups(target, { namespace, function: run.kind, service });
  const gone = known.filter((database) => ![current].flat().includes(database));
  await Promise.all(gone.map((database) => deleteGroup(target, group(database))));
}

async function lookAtVolume(folder: string): Promise<Volume | undefined> {
  try {
    const { bsize, blocks, bavail, ffree } = await statfs(folder);
    return { sizeBytes: bsize * blocks, freeBytes: bsize * bavail, freeInodes: ffree };
  } catch {
    return undefined;
  }
}

/** Why it failed, without what the other side said: that may quote the address. */
async function tried(work: () => Promise<void>): Promise<string | undefined> {
  let why: string | undefined;
  for (let attempt = 1; attempt <= TRIES; attempt += 1) {
    try {
      await work();
      return undefined;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      why = /status \d+/.exec(message)?.[0] ?? message;
    }
  }
  return why;
}
