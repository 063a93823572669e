import type { Trigger } from "../run/run.ts";
import { DormouseError } from "../errors.ts";
import type { IncomingEvent } from "./cloud-event.ts";
import { type Limits, MAX_RUNS_OF_EVENTS, type Runs, type StartedRun } from "../run/runs.ts";
import type { Handler } from "./handler.ts";

const TICK = "dev.knative.sources.ping";
/** As far as clocks of one cluster differ. */
const AHEAD_MS = 2 * 60_000;
/** Longer than any sender tries again. */
const BEHIND_MS = 24 * 3_600_000;

/**
 * The run that an event asks for, or has asked for already; none where it only wakes what is unfinished. Throws
 * `event_unsupported`, and `event_untimely`.
 */
export async function takeEvent(
  handler: Handler,
  runs: Runs,
  event: IncomingEvent,
): Promise<StartedRun | undefined> {
  refuseUntimely(event);
  if ((await handler.onEvent?.(event)) === true) return undefined;
  const { kind, work } = handler;
  const { source, id, time, type, traceparent } = event;
  const request = await handler.parseEvent(event);
  const database = handler.databaseOf(request);
  // Only a schedule has slots: two backups may be completed within one minute, and both are news.
  const isTick = type === TICK && time !== undefined;
  const trigger: Trigger = {
    source,
    id,
    data: JSON.stringify(request),
    ...(isTick ? { at: time } : {}),
  };
  const answeredBy: Limits["answeredBy"] = async (known) => handler.answeredBy?.(request, known);
  const wanted = { kind, database, trigger, request, traceparent };
  return runs.start(wanted, work, { atMost: MAX_RUNS_OF_EVENTS, answeredBy });
}

/** No sender may occupy the runs of later nights. An event without a time is one of now, and has no slot. */
function refuseUntimely({ time }: IncomingEvent): void {
  if (time === undefined) return;
  const aheadMs = time.getTime() - Date.now();
  if (aheadMs <= AHEAD_MS && aheadMs >= -BEHIND_MS) return;
  throw new DormouseError(
    "event_untimely",
    `the event is of ${time.toISOString()}, and now is ${new Date().toISOString()}`,
    {
      hint: "an event counts until a day after its time, and two minutes before it: compare the clocks of sender and node",
    },
  );
}
