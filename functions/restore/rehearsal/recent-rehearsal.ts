import { isUnfinished, type Run } from "../../../shared/run/run.ts";
import type { RestoreSettings } from "../restoring.ts";

/**
 * The rehearsal that does for an event that asks for the same: one that is under way, or ended less long ago than the interval,
 * and than it took. Events need no token: however many come, the server loads nothing for half of the time.
 */
export function recentRehearsal(
  asked: unknown,
  known: readonly Run[],
  { minIntervalMs }: Pick<RestoreSettings, "minIntervalMs">,
): Run | undefined {
  const wanted = JSON.stringify(asked);
  const hasJustEnded = ({ acceptedAt, finishedAt = acceptedAt }: Run) => {
    const agoMs = Date.now() - finishedAt.getTime();
    const pauseMs = Math.max(minIntervalMs, finishedAt.getTime() - acceptedAt.getTime());
    return minIntervalMs > 0 && agoMs >= 0 && agoMs < pauseMs;
  };
  return known.findLast(
    (run) => JSON.stringify(run.request) === wanted && (isUnfinished(run) || hasJustEnded(run)),
  );
}
