import type { OutcomeEvent, RunContext } from "../run/run.ts";
import { logged, problemFrom, type Problem } from "../errors.ts";
import type { Log } from "../log.ts";
import type { EventSink } from "./event-sink.ts";

/**
 * Sends what became of a run, while the run goes on. An event that reaches no receiver is logged, and changes nothing of
 * what was done; one that the end of the process cut off stays in the record as `untold`.
 */
export function announce(
  { events, log }: { readonly events: EventSink; readonly log: Log },
  { run, meanwhile, step }: Pick<RunContext, "run" | "meanwhile"> & Partial<Pick<RunContext, "step">>,
  event: OutcomeEvent,
): void {
  meanwhile(async (signal) => {
    try {
      await events.send(event, run.id, signal);
    } catch (error) {
      signal.throwIfAborted();
      for (const problem of problemsIn(error)) {
        log.warn("event not delivered", { run: run.id, type: event.type, ...logged(problem) });
        if (problem.code === "notification_failed")
          await step?.("notification_failed", { type: event.type, error: problem.message });
      }
    }
  }, event);
}

function problemsIn(error: unknown): readonly Problem[] {
  return (error instanceof AggregateError ? (error.errors as unknown[]) : [error]).map(problemFrom);
}
