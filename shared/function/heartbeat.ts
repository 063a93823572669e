import type { Beat } from "../events/notify/heartbeat.ts";
import type { OutboundConfig } from "../events/http-request.ts";
import type { Log } from "../log.ts";
import type { RunMonitor } from "../run/execute-run.ts";
import { ALL_DATABASES, type Run, type RunContext } from "../run/run.ts";
import { readMessage } from "../errors.ts";

/** In all, so that a monitor that is silent keeps no pod. */
const WITHIN_MS = 10_000;

/** `{database}`, as a URL has it. */
const DATABASE = "%7Bdatabase%7D";

/** Reports to the monitor at HEARTBEAT_URL each run that does the function's work: no plan, no mark. */
export function heartbeat(url: string, outbound: OutboundConfig, log: Log): RunMonitor {
  const report = async (run: Run, what: Beat, step?: RunContext["step"]) => {
    try {
      const { beat } = await import("../events/notify/heartbeat.ts");
      await beat(monitorOf(url, run.database), what, outbound, AbortSignal.timeout(WITHIN_MS));
    } catch (error) {
      log.warn("heartbeat not sent", { run: run.id, state: what.state, error: readMessage(error) });
      await step?.("notification_failed", { to: "heartbeat", error: readMessage(error) });
    }
  };
  const isOfEach = url.includes(DATABASE);
  const isReported = (run: Run) => isWork(run) && (isOfEach ? run.database !== ALL_DATABASES : !isPart(run));
  return {
    async begun(run) {
      if (isReported(run)) await report(run, { state: "start" });
    },
    async ended(run, step) {
      if (!isReported(run)) return;
      if (run.state === "succeeded") await report(run, { state: "success" }, step);
      // The restore to which a rehearsal gave way says how it went.
      if (run.state === "failed" && run.problem !== undefined && run.problem.code !== "rehearsal_gave_way")
        await report(run, { state: "fail", problem: run.problem }, step);
    },
  };
}

/** Where each database has a monitor, the one of this database, if that is known. */
export function monitorOf(url: string, database: string): string;
export function monitorOf(url: string, database: string | undefined): string | undefined;
export function monitorOf(url: string, database: string | undefined): string | undefined {
  if (!url.includes(DATABASE)) return url;
  return database === undefined ? undefined : url.replaceAll(DATABASE, encodeURIComponent(database));
}

/** No plan and no mark. */
export function isWork({ request }: Run): boolean {
  const { dryRun, action = "cull" } = request;
  return dryRun !== true && action === "cull";
}

/** Of a run over all databases, which is reported as a whole: what succeeds after it would hide one that failed. */
function isPart({ request }: Run): boolean {
  return request["sweep"] !== undefined;
}
