import type { RunContext } from "../../../shared/run/run.ts";
import { findWanted } from "../find-wanted.ts";
import type { RestoreDependencies, RestoreRequest } from "../restoring.ts";

type ProvedAlready = {
  readonly strategy: "rehearse";
  readonly source: string;
  readonly provedAt: string;
};

/** The latest backup, where only one that no rehearsal has proved is to be rehearsed and this one was. */
export async function provedAlready(
  deps: RestoreDependencies,
  request: RestoreRequest,
  { run, signal, step }: RunContext,
): Promise<ProvedAlready | undefined> {
  if (request.kind !== "restore" || request.ifUnproven !== true || run.journal !== undefined)
    return undefined;
  const { backup } = await findWanted({ ...deps, signal }, request);
  const verification = backup?.manifest?.verification;
  if (backup === undefined || verification?.level !== "compared") return undefined;
  await step("found", { backup: backup.name });
  return { strategy: "rehearse", source: backup.name, provedAt: verification.at };
}
