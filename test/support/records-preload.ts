// Loaded into a restore function with --import: ends, stops or starves the process at one record of its run.
// DORMOUSE_TEST_RECORD is like `kill before step fenced`, `stop after accepted` or `full before phase starting`: before
// or after that record is on the volume. `full` lets this one and all that follow fail. DORMOUSE_TEST_RECORDS names a
// file that gets the label of each record.
import { appendFileSync, readFileSync } from "node:fs";
import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

type Record = {
  readonly state: string;
  readonly steps: readonly { readonly step: string; readonly detail?: { readonly workload?: string } }[];
  readonly journal?: { readonly phase: string };
};

const [, action = "", when = "", wanted = ""] =
  /^(kill|stop|full) (before|after) (.+)$/.exec(process.env["DORMOUSE_TEST_RECORD"] ?? "") ?? [];
const tally = process.env["DORMOUSE_TEST_RECORDS"];
let known: Record | undefined;
let own: string | undefined;
let isFull = false;

function labelOf({ state, steps, journal }: Record): string {
  if (state === "succeeded" || state === "failed") return state;
  if (journal !== undefined && journal.phase !== known?.journal?.phase) return `phase ${journal.phase}`;
  return steps.length === known?.steps.length ? "uses" : stepLabel(steps.at(-1));
}

function stepLabel(last: Record["steps"][number] | undefined): string {
  const workload = last?.detail?.workload;
  return `step ${last?.step}${workload === undefined ? "" : ` ${workload}`}`;
}

function take(label: string, moment: "before" | "after"): void {
  if (label !== wanted || moment !== when) return;
  if (action === "kill") process.kill(process.pid, "SIGKILL");
  if (action === "stop") process.kill(process.pid, "SIGSTOP");
  if (action === "full") isFull = true;
}

function intercept(name: "rename" | "link"): void {
  const real = fs[name] as (from: string, to: string) => Promise<void>;
  const intercepted = async (from: string, to: string) => {
    if (!/\/runs\/restore-[0-9a-f]{24}\.json$/.test(to)) return real(from, to);
    own ??= to;
    // An undo writes into the record of what it undoes as well.
    if (own !== to) return real(from, to);
    await write(name === "link", from, () => real(from, to));
  };
  (fs as unknown as { [key: string]: unknown })[name] = intercepted;
}

async function write(isFirst: boolean, from: string, real: () => Promise<void>): Promise<void> {
  const run = JSON.parse(readFileSync(from, "utf8")) as Record;
  const label = isFirst ? "accepted" : labelOf(run);
  if (tally !== undefined) appendFileSync(tally, `${label}\n`);
  take(label, "before");
  if (isFull) throw Object.assign(new Error("ENOSPC: made by the test"), { code: "ENOSPC" });
  await real();
  known = run;
  take(label, "after");
}

intercept("rename");
intercept("link");
syncBuiltinESMExports();
