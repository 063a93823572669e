import type { Trigger } from "../backup/run.ts";
import type { IncomingEvent } from "../events/cloud-event.ts";
import type { Handler } from "./server.ts";
import type { Runs, StartedRun } from "./runs.ts";

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
  const { source, id, time } = event;
  const trigger: Trigger = { source, id, ...(time === undefined ? {} : { at: time }) };
  return runs.start({ kind, database, trigger, request: handler.parseEvent(event) }, work);
}
