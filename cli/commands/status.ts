import { EXIT, Failure, type Exit } from "../failure.ts";
import type { Session } from "../session.ts";
import { showDatabase } from "../text/status-text.ts";
import type { Examination, FunctionName, Run } from "../wire.ts";
import { catalogOf } from "./list.ts";
import { readStatus, type Asked } from "./status-of.ts";

export async function status(session: Session): Promise<Exit> {
  const { output } = session;
  const unknown: string[] = [];
  const told = readStatus(await ask(session, unknown), unknown);
  if (output.isJson) output.json(told);
  else {
    if (told.databases.length === 0) output.line("There is no backup of any database.");
    for (const database of told.databases) showDatabase(session, database, Date.now());
    if (told.bucketProblem !== undefined)
      output.line(`The bucket does not answer: ${told.bucketProblem.message}`);
    for (const what of unknown) output.complain(`not known: ${what}`);
  }
  return told.healthy ? EXIT.good : EXIT.unhealthy;
}

async function ask(session: Session, unknown: string[]): Promise<Asked> {
  const maybe = <Answer>(name: FunctionName, path: string) =>
    askIfThere<Answer>(session, unknown, name, path);
  const [catalog, backups, restores, cull] = await Promise.all([
    catalogOf(session),
    maybe<{ runs: readonly Run[] }>("backup", "/runs"),
    maybe<{ runs: readonly Run[] }>("restore", "/runs"),
    maybe<Examination>("cull", "/doctor"),
  ]);
  const found = (cull?.findings ?? []).filter(({ check, state }) => check === "backups" && state !== "good");
  return {
    catalog,
    backupRuns: backups?.runs ?? [],
    restoreRuns: restores?.runs ?? [],
    warnings: found.map(({ detail }) => detail),
    now: Date.now(),
  };
}

async function askIfThere<Answer>(
  { ways, remote }: Session,
  unknown: string[],
  name: FunctionName,
  path: string,
): Promise<Answer | undefined> {
  if (!(await ways.known()).includes(name)) return undefined;
  try {
    return await (await remote(name)).get<Answer>(path);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    unknown.push(`what ${name} says (${error.message})`);
    return undefined;
  }
}
