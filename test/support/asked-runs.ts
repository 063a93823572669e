import type { NewRun } from "../../shared/run/run.ts";
import { jsonLog } from "../../shared/log.ts";
import { runFiles } from "../../shared/run/run-files.ts";

/** Of the events below, and of the clock of the tests. */
export const AT = new Date("2026-11-22T01:00:07.123Z");
/** By an event of a schedule. */
export const ping: NewRun = {
  kind: "backup",
  database: "hets",
  trigger: { source: "/apis/v1/namespaces/hets/pingsources/daily", id: "a1", at: AT },
  request: {},
};
/** By a person, with a key. */
export const posted = (id: string, request = {}): NewRun => ({
  ...ping,
  trigger: { source: "http", id },
  request,
});

/** As another process sees them; what is logged becomes `lines`. */
export function runsOn(path: string, lines: string[] = []) {
  return runFiles(
    path,
    jsonLog((line) => lines.push(line)),
  );
}
