import { statfs } from "../catalog/volume/volume-calls.ts";
import type { Sample } from "../events/metrics/metric-list.ts";
import type { Volume } from "../events/metrics/read-metrics.ts";
import type { OutboundConfig } from "../events/http-request.ts";
import { sendTwice } from "../events/send-twice.ts";
import { findNamespace } from "../kubernetes/namespace.ts";
import type { Log } from "../log.ts";
import { LISTED, SWEPT } from "../run/resume.ts";
import type { RunMonitor } from "../run/execute-run.ts";
import { ALL_DATABASES, type Run } from "../run/run.ts";
import { version } from "../version.ts";
import { never } from "../waiting.ts";
import { isWork } from "./heartbeat.ts";
import { readMessage } from "../errors.ts";

export type MetricsConfig = OutboundConfig & {
  readonly BACKUP_DIR: string;
  readonly POD_NAMESPACE?: string | undefined;
  readonly K_SERVICE?: string | undefined;
  /** Unset where there are several. */
  readonly POSTGRESQL_DATABASE?: string | undefined;
};

/** Pushes what a run knows to PUSHGATEWAY_URL when it has ended, for it cannot be scraped then. It costs a run nothing. */
export function pushMetrics(url: string, config: MetricsConfig, log: Log): RunMonitor {
  return {
    async ended(run, step) {
      if (!isWork(run) || !hasOutcome(run)) return;
      const why = await tried((signal) => push({ url, outbound: config, signal }, config, run));
      if (why === undefined) return;
      const { host } = new URL(url);
      log.warn("metrics not pushed", { run: run.id, host, error: why });
      await step("notification_failed", { to: "pushgateway", error: `${host}: ${why}` });
    },
  };
}

/** Pushes that the function is there, and nothing of a run. Resolves to why that failed. */
export async function pushInfo(
  { url, config }: { readonly url: string; readonly config: MetricsConfig },
  kind: Run["kind"],
  database: string,
): Promise<string | undefined> {
  const { groupOf, info } = describeFunction(config, kind);
  return tried(async (signal) => {
    const { pushGroup } = await import("../events/metrics/pushgateway.ts");
    await pushGroup({ url, outbound: config, signal }, groupOf(database), [info]);
  });
}

/** One that will be resumed has none yet, and a rehearsal that gave way says nothing of the backup. */
function hasOutcome({ state, problem }: Run): boolean {
  if (problem?.code === "rehearsal_gave_way") return false;
  return state !== "interrupted" || problem?.code === "rollback_pending";
}

type PushTarget = { readonly url: string; readonly outbound: OutboundConfig; readonly signal: AbortSignal };

/** Then deletes what a database had pushed that is no longer this function's: it would be an alarm for ever. */
async function push(target: PushTarget, config: MetricsConfig, run: Run): Promise<void> {
  const { readMetrics } = await import("../events/metrics/read-metrics.ts");
  const { deleteGroup, listGroups, pushGroup } = await import("../events/metrics/pushgateway.ts");
  const { groupOf, info, own } = describeFunction(config, run.kind);
  // Of a run over all databases each part pushes what is its own.
  const metrics =
    run.database === ALL_DATABASES ? [] : [...readMetrics(run, await measureVolume(config.BACKUP_DIR))];
  const pushed = metrics.map(([database, samples]) =>
    pushGroup(target, groupOf(database), [info, ...samples]),
  );
  await Promise.all(pushed);
  const databases = metrics.map(([database]) => database);
  const current = currentDatabases(run, run.kind === "cull" ? databases : config.POSTGRESQL_DATABASE);
  if (current === undefined) return;
  const known = await listGroups(target, own);
  const gone = known.filter((database) => !current.includes(database));
  await Promise.all(gone.map((database) => deleteGroup(target, groupOf(database))));
}

/** By whom something is pushed, and of what. */
function describeFunction({ POD_NAMESPACE, K_SERVICE }: MetricsConfig, kind: Run["kind"]) {
  const namespace = findNamespace(POD_NAMESPACE) ?? "";
  const service = K_SERVICE ?? kind;
  const info: Sample = { name: "dormouse_info", value: 1, labels: { version, service } };
  const groupOf = (database: string) => ({ namespace, function: kind, database });
  return { groupOf, info, own: { namespace, function: kind, service } };
}

/** The databases that this function has to do with, as far as the run knows: the others are gone. */
function currentDatabases(
  run: Run,
  known: string | readonly string[] | undefined,
): readonly string[] | undefined {
  if (run.database === ALL_DATABASES) return listedIn(run);
  return known === undefined || run.state !== "succeeded" ? undefined : [known].flat();
}

/** What came while the others were backed up was not listed at first. */
function listedIn({ steps }: Run): readonly string[] | undefined {
  const listed = steps.findLast(({ step }) => step === LISTED);
  if (listed === undefined) return undefined;
  const taken = steps.filter(({ step }) => step === SWEPT.taken || step === SWEPT.failed);
  const names = [listed.detail?.["databases"], taken.map(({ detail }) => detail?.["database"])];
  return names.flat().map(String);
}

async function measureVolume(folder: string): Promise<Volume | undefined> {
  try {
    const { bsize, blocks, bavail, ffree } = await statfs(folder);
    return { sizeBytes: bsize * blocks, freeBytes: bsize * bavail, freeInodes: ffree };
  } catch {
    return undefined;
  }
}

/** Why it failed, without what the other side said: that may quote the address. */
async function tried(work: (signal: AbortSignal) => Promise<void>): Promise<string | undefined> {
  return sendTwice(async (limit) => {
    try {
      await work(limit);
      return undefined;
    } catch (error) {
      const message = readMessage(error);
      return { why: /status \d+/.exec(message)?.[0] ?? message, mayPass: true };
    }
  }, never);
}
