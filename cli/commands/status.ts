import { EXIT, Failure, type Exit } from "../failure.ts";
import type { Session } from "../session.ts";
import { showDatabase } from "../text/status-text.ts";
import { FUNCTIONS, type Catalog, type Examination, type FunctionName, type Run } from "../wire.ts";
import { catalogOf } from "./list.ts";
import { latestFirst } from "./runs.ts";
import { readStatus, type Asked, type Status } from "./status-of.ts";

/** All that is known at one moment. */
export type Overview = {
  readonly status: Status;
  readonly catalog: Catalog;
  /** Of all functions, newest first. */
  readonly runs: readonly Run[];
  readonly functions: readonly FunctionName[];
  /** How a command of this program begins that reaches the same functions. */
  readonly where: string;
};

export async function status(session: Session): Promise<Exit> {
  const { output } = session;
  const { status: found } = await overview(session);
  if (output.isJson) output.json(found);
  else {
    if (found.databases.length === 0) output.line("There is no backup of any database.");
    const shown = { now: Date.now(), isOnly: found.databases.length === 1 };
    for (const database of found.databases) showDatabase(session, database, shown);
    if (found.bucketProblem !== undefined)
      output.line(`The bucket does not answer: ${found.bucketProblem.message}`);
    for (const what of found.unknown) output.complain(`not known: ${what}`);
  }
  return found.healthy ? EXIT.good : EXIT.unhealthy;
}

export async function overview(session: Session): Promise<Overview> {
  const unknown: string[] = [];
  const maybe = <Answer>(name: FunctionName, path: string) =>
    askIfThere<Answer>(session, unknown, name, path);
  const runsOf = async (name: FunctionName) =>
    (await maybe<{ runs: readonly Run[] }>(name, "/runs"))?.runs ?? [];
  const [functions, catalog, examined, schedules, ...runs] = await Promise.all([
    session.access.known(),
    catalogOf(session),
    maybe<Examination>("cull", "/doctor"),
    session.access.schedules?.(),
    ...FUNCTIONS.map(runsOf),
  ]);
  const asked: Asked = {
    catalog,
    runs: latestFirst(runs.flat()),
    findings: examined?.findings ?? [],
    schedules,
    now: Date.now(),
  };
  return {
    status: readStatus(asked, unknown),
    catalog,
    runs: asked.runs,
    functions,
    where: session.commandLine("").trim(),
  };
}

async function askIfThere<Answer>(
  { access, remote }: Session,
  unknown: string[],
  name: FunctionName,
  path: string,
): Promise<Answer | undefined> {
  if (!(await access.known()).includes(name)) return undefined;
  try {
    return await (await remote(name)).get<Answer>(path);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    unknown.push(`what ${name} says (${error.message})`);
    return undefined;
  }
}
