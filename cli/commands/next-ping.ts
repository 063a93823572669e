import { Cron } from "croner";
import type { Schedule } from "../session.ts";

/** When the backup function is woken next; `undefined` where no schedule can be seen, or none that can be read. */
export function nextPing(schedules: readonly Schedule[] | undefined, now: number): string | undefined {
  const times = (schedules ?? []).filter(({ to }) => to === "backup").flatMap((each) => next(each, now));
  return times.toSorted()[0];
}

function next({ cron, timezone = "UTC" }: Schedule, now: number): string[] {
  try {
    const at = new Cron(cron, { timezone, paused: true }).nextRun(new Date(now));
    return at === null ? [] : [at.toISOString()];
  } catch {
    // Knative reads more than this library does, a name of a zone within the schedule for one.
    return [];
  }
}
