import { durationText } from "./units.ts";
import type { Run } from "../wire.ts";

/** What a run was asked for: `swap`, `rehearse`, `pin`. */
export function whatOf({ request }: Run): string {
  const { strategy, action, kind, dryRun } = request;
  const name = kind === "undo" ? kind : [strategy, action].find((each) => typeof each === "string");
  return `${name ?? ""}${dryRun === true ? " (dry run)" : ""}`.trim() || "-";
}

export function tookText({ acceptedAt, finishedAt }: Run): string {
  return finishedAt === undefined ? "-" : durationText(Date.parse(finishedAt) - Date.parse(acceptedAt));
}
