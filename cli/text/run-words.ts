import { durationText } from "./units.ts";
import type { RestoreResult, Run } from "../wire.ts";

/** What a restore did, in one sentence. */
export const DONE: Readonly<Record<RestoreResult["strategy"], string>> = {
  swap: "Restored: the application runs on the data of the backup.",
  "in-place": "Restored in place: the application runs on the data of the backup.",
  rehearse: "Rehearsed: the backup can be restored.",
  beside: "Restored beside the live database.",
  undo: "Taken back: the application runs on the data from before.",
};

/** What a run was asked for: `swap`, `rehearse`, `pin`. */
export function whatOf({ request }: Run): string {
  const { strategy, action, kind, dryRun } = request;
  const name = kind === "undo" ? kind : [strategy, action].find((each) => typeof each === "string");
  return `${name ?? ""}${dryRun === true ? " (dry run)" : ""}`.trim() || "-";
}

export function tookText({ acceptedAt, finishedAt }: Run): string {
  return finishedAt === undefined ? "-" : durationText(Date.parse(finishedAt) - Date.parse(acceptedAt));
}
