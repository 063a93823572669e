import { EXIT, Failure, wrongUsage, type Exit } from "../failure.ts";
import type { Remote } from "../remote/client.ts";
import { watched } from "../remote/watch.ts";
import type { Session } from "../session.ts";
import { showPlan } from "../text/plan-text.ts";
import { DONE } from "../text/run-words.ts";
import { durationText, plural, timeText } from "../text/units.ts";
import { undoCommand } from "../../shared/undo-command.ts";
import type { Catalog, RestorePlan, RestoreResult } from "../wire.ts";
import { confirmName } from "./confirm.ts";

export type RestoreOptions = {
  readonly inPlace?: true;
  readonly into?: string;
  readonly fromElsewhere?: true;
  readonly createRoles?: true;
  /** False: all belongs to the role that restores. */
  readonly owner?: boolean;
  readonly leaveOut?: readonly string[];
  readonly database?: string;
  readonly yes?: string;
};

function bodyOf(filename: string, { inPlace, owner, ...asked }: RestoreOptions) {
  const { database, into, fromElsewhere, createRoles, leaveOut } = asked;
  const strategy = inPlace === true ? "in-place" : undefined;
  const current = owner === false ? "current" : undefined;
  return { filename, database, into, fromElsewhere, createRoles, leaveOut, owner: current, strategy };
}

export async function plan(session: Session, filename: string, options: RestoreOptions): Promise<Exit> {
  const remote = await session.remote("restore");
  const planned = await toPlan(remote, bodyOf(filename, options));
  if (session.output.isJson) session.output.json(planned);
  else showPlan(session.output, planned);
  return planned.blockers.length === 0 ? EXIT.good : EXIT.failed;
}

export async function restore(session: Session, filename: string, options: RestoreOptions): Promise<Exit> {
  return confirmed(session, bodyOf(filename, options), options.yes);
}

/** The last restore, of one database where that is named, or the restore that is named. */
export async function undo(
  session: Session,
  run: string | undefined,
  { database, yes }: RestoreOptions,
): Promise<Exit> {
  const wanted = run ?? (await lastUndo(await session.remote("restore"), database));
  return confirmed(session, { undo: wanted, database }, yes);
}

async function lastUndo(remote: Remote, database: string | undefined): Promise<string> {
  const { undo: kept } = await remote.get<Catalog>("/");
  const databases = new Set(kept.map(({ live }) => live));
  if (database === undefined && databases.size > 1)
    throw wrongUsage(
      `restores of several databases can be taken back: ${[...databases].join(", ")}`,
      "say which one is meant: --database NAME, or the id of the restore",
    );
  const last = kept.find(({ live }) => database === undefined || live === database);
  if (last !== undefined) return last.run;
  throw new Failure("there is no restore that can be taken back", {
    code: "undo_unavailable",
    hint: "the old database is kept for UNDO_HOURS; a restore in place is undone by restoring its safety backup",
  });
}

/** A rehearsal touches nothing that lives, so nothing is asked. */
export async function rehearse(session: Session, filename: string, options: RestoreOptions): Promise<Exit> {
  const remote = await session.remote("restore");
  const body = { ...bodyOf(filename, options), into: "scratch" };
  return showResult(session, await watched<RestoreResult>(session, remote, body));
}

async function confirmed(
  session: Session,
  body: Readonly<Record<string, unknown>>,
  yes: string | undefined,
): Promise<Exit> {
  const { output } = session;
  const remote = await session.remote("restore");
  const planned = await toPlan(remote, body);
  if (!output.isJson) showPlan(output, planned);
  if (planned.blockers.length > 0) {
    if (output.isJson) output.json(planned);
    throw new Failure("the restore is blocked: nothing was touched", {
      code: "restore_blocked",
      hint: "do what the remedies say, and ask again",
    });
  }
  if (planned.strategy !== "beside") await confirmName(session, planned.database, yes);
  return showResult(session, await watched<RestoreResult>(session, remote, pinnedDown(body, planned)));
}

/** What the person saw is what is restored, also when a backup is completed meanwhile. */
function pinnedDown(body: Readonly<Record<string, unknown>>, { backup }: RestorePlan) {
  return backup === undefined ? body : { ...body, filename: backup.name };
}

function toPlan(remote: Remote, body: Readonly<Record<string, unknown>>): Promise<RestorePlan> {
  return remote.post<RestorePlan>({ ...body, dryRun: true });
}

function showResult(session: Session, result: RestoreResult): Exit {
  const { output } = session;
  if (output.isJson) return (output.json(result), EXIT.good);
  const { compared, workloads, undo: back, warnings, strategy } = result;
  output.line(output.style("green", DONE[strategy]));
  if (compared !== undefined) showCompared(output, compared);
  if (result.downtimeMs !== undefined) output.line(`  downtime   ${downtimeText(result)}`);
  for (const { workload, replicas, ready, why } of workloads) {
    const state = `${ready ? "ready     " : "NOT READY "} ${workload}, ${plural(replicas, "replica")}`;
    output.line(`  ${state}${why === undefined ? "" : `: ${why}`}`);
  }
  for (const warning of warnings) output.line(output.style("yellow", `  warning    ${warning}`));
  if (back !== undefined) output.line(`  undo       ${session.commandLine(undoText(back))}`);
  return EXIT.good;
}

function showCompared(
  output: Session["output"],
  { rows, tables, by, onlyCounted = [] }: NonNullable<RestoreResult["compared"]>,
): void {
  const all = `${plural(rows, "row")} in ${plural(tables, "table")}`;
  output.line(
    by === "values"
      ? `  compared   ${all}: all values are as in the backup`
      : `  counted    ${all}: as many as in the backup`,
  );
  if (onlyCounted.length > 0)
    output.line(output.style("yellow", `  warning    values not compared: ${onlyCounted.join(", ")}`));
}

/** The times of the pods stand apart from the swap: they depend on the application, not on Dormouse. */
function downtimeText({ downtimeMs, stoppingMs = 0, swapMs = 0, startingMs = 0, workloads }: RestoreResult) {
  const whole = durationText(downtimeMs ?? 0);
  if (workloads.length === 0) return whole;
  const [stop, swap, start] = [stoppingMs, swapMs, startingMs].map(durationText);
  return `${whole}: pods ended in ${stop}, swap ${swap}, pods ready in ${start}`;
}

function undoText({ body, until }: NonNullable<RestoreResult["undo"]>): string {
  const command = undoCommand(body);
  return until === undefined ? command : `${command}   # until ${timeText(until)}`;
}
