import type { Trigger } from "../backup/run.ts";
import type { IncomingEvent } from "../events/cloud-event.ts";
import type { Handler } from "./server.ts";
import type { Runs, StartedRun } from "./runs.ts";

const TICK = "dev.knative.sources.ping";

/**
 * The run that an event asks for, or has asked for already; none where it only wakes what is unfinished. Throws
 * `event_unsupported`.
 */
export async function takeEvent(
  handler: Handler,
  runs: Runs,
  event: IncomingEvent,
): Promise<StartedRun | undefined> {
  if ((await handler.onEvent?.(event)) === true) return undefined;
  const { kind, database, work } = handler;
  const { source, id, time, type } = event;
  // Only a schedule has slots: two backups may be completed within one minute, and both are news.
  const isTick = type === TICK && time !== undefined;
  const trigger: Trigger = { source, id, ...(isTick ? { at: time } : {}) };
  return runs.start({ kind, database, trigger, request: handler.parseEvent(event) }, work);
}
