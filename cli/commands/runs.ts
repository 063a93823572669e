import { EXIT, wrongUsage, type Exit } from "../failure.ts";
import { table } from "../output.ts";
import { watchedRun } from "../remote/watch.ts";
import type { Session } from "../session.ts";
import { stepText } from "../text/step-text.ts";
import { agoText } from "../text/units.ts";
import { tookText, whatOf } from "../text/run-words.ts";
import { FUNCTIONS, type FunctionName, type Run } from "../wire.ts";

const SHOWN = 30;

/** The latest of one function, or of all that are there, newest first. */
export async function runs(session: Session, only?: FunctionName): Promise<Exit> {
  const { output, access } = session;
  const names = only === undefined ? await access.known() : [only];
  const lists = await Promise.all(
    names.map(
      async (name) => (await (await session.remote(name)).get<{ runs: readonly Run[] }>("/runs")).runs,
    ),
  );
  const all = latestFirst(lists.flat());
  if (output.isJson) return (output.json({ runs: all }), EXIT.good);
  const shown = all.slice(0, SHOWN);
  const hasSeveral =
    new Set(shown.flatMap(({ kind, database }) => (kind === "cull" ? [] : [database]))).size > 1;
  const rowOf = (run: Run) => {
    const of = hasSeveral ? [run.database === "" ? "*" : run.database] : [];
    return [run.id, ...of, whatOf(run), run.state, agoText(run.acceptedAt, Date.now()), tookText(run)];
  };
  const head = ["RUN", ...(hasSeveral ? ["DATABASE"] : []), "WHAT", "STATE", "BEGUN", "TOOK"];
  for (const line of table([head, ...shown.map(rowOf)])) output.line(line);
  return EXIT.good;
}

export function latestFirst(all: readonly Run[]): Run[] {
  return all.toSorted((a, b) => (a.acceptedAt < b.acceptedAt ? 1 : -1));
}

export async function run(
  session: Session,
  id: string,
  { follow }: { readonly follow?: true },
): Promise<Exit> {
  const { output } = session;
  const remote = await session.remote(functionOf(id));
  if (follow === true) {
    const result = await watchedRun<unknown>(session, remote, id);
    if (output.isJson) output.json(result);
    else output.line(`${id} has succeeded`);
    return EXIT.good;
  }
  const found = await remote.get<Run>(`/runs/${id}`);
  if (output.isJson) output.json(found);
  else show(session, found);
  return found.state === "failed" ? EXIT.failed : EXIT.good;
}

function functionOf(id: string): FunctionName {
  const name = FUNCTIONS.find((each) => new RegExp(`^${each}-[0-9a-f]{24}$`).test(id));
  if (name !== undefined) return name;
  throw wrongUsage(`${JSON.stringify(id)} is not the id of a run`, "`runs` lists them, like restore-3f0c...");
}

function show({ output }: Session, { id, state, acceptedAt, steps, problem, attempt }: Run): void {
  output.line(
    output.style("bold", `${id}: ${state}, begun ${agoText(acceptedAt, Date.now())}, attempt ${attempt}`),
  );
  for (const step of steps) output.line(`  ${step.at.slice(11, 19)}  ${stepText(step)}`);
  if (problem === undefined) return;
  output.line(output.style("red", `  ${problem.code}: ${problem.message}`));
  if (problem.hint !== undefined) output.line(`  ${problem.hint}`);
}
