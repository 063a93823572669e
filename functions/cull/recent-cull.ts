import type { Backup } from "../../shared/catalog/backup.ts";
import type { ArchiveName } from "../../shared/catalog/archive-name.ts";
import type { Run } from "../../shared/run/run.ts";

/** What an event asks for: a cull, perhaps since this backup was completed. */
type AskedByEvent = { readonly dryRun: boolean; readonly after?: ArchiveName | undefined };

type Recently = {
  readonly find: (name: ArchiveName) => Promise<Backup | undefined>;
  /** 0: each event starts a cull. */
  readonly minIntervalMs: number;
};

/** As far as the clocks of two pods differ: the time of a backup is that of another one. */
const SKEW_MS = 2 * 60_000;

/**
 * The cull that does for an event as well: it began within the interval and has not failed, and the backup that the event
 * names did not come after it. Events need no token, so what they say is looked up: however many come, there is one cull
 * an interval, and one more for each new backup.
 */
export async function recentCull(
  asked: AskedByEvent,
  known: readonly Run[],
  { find, minIntervalMs }: Recently,
): Promise<Run | undefined> {
  const isRecent = ({ acceptedAt }: Run) => {
    const ageMs = Date.now() - acceptedAt.getTime();
    return ageMs < minIntervalMs && ageMs > -SKEW_MS;
  };
  const recent = known.filter((run) => isRecent(run) && hasNotFailed(run) && doesAsMuch(run, asked));
  const { after } = asked;
  if (recent.length === 0 || after === undefined) return recent[0];
  // One that cannot be read is for a cull to report.
  const backup = await find(after).catch(() => undefined);
  const sinceMs = backup === undefined ? -Infinity : backup.finishedAt.getTime() + SKEW_MS;
  return recent.find(
    ({ acceptedAt, request }) => request["after"] === after || acceptedAt.getTime() > sinceMs,
  );
}

function hasNotFailed({ state }: Run): boolean {
  return state === "accepted" || state === "running" || state === "succeeded";
}

function doesAsMuch({ request }: Run, { dryRun }: AskedByEvent): boolean {
  return request["action"] === "cull" && (dryRun || request["dryRun"] === false);
}
