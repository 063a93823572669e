import { EXIT, Failure, type Exit } from "../failure.ts";
import type { Session } from "../session.ts";
import type { Output } from "../output.ts";
import type { Examination, FunctionName } from "../wire.ts";

const MARKS = { good: "ok     ", warning: "warning", fault: "FAULT  " } as const;
const STYLES = { good: "green", warning: "yellow", fault: "red" } as const;

export type Examined = {
  readonly healthy: boolean;
  readonly functions: Readonly<Partial<Record<FunctionName, Examination>>>;
};

export async function doctor(session: Session, { send }: { readonly send?: true }): Promise<Exit> {
  const { output } = session;
  const examined = await examine(session, send);
  if (output.isJson) output.json(examined);
  else for (const [name, report] of Object.entries(examined.functions)) show(output, name, report);
  return examined.healthy ? EXIT.good : EXIT.unhealthy;
}

/** What each function finds of itself, in one report; or what became of its test messages. */
export async function examine(session: Session, send = false): Promise<Examined> {
  const names = await session.ways.known();
  const reports = await Promise.all(
    names.map(async (name) => [name, await examineOne(session, name, send)] as const),
  );
  return {
    healthy: reports.every(([, report]) => report.healthy),
    functions: Object.fromEntries(reports),
  };
}

/** A function that does not answer is a finding, too. */
async function examineOne(session: Session, name: FunctionName, send: boolean): Promise<Examination> {
  try {
    const remote = await session.remote(name);
    if (send) return await remote.post<Examination>(undefined, "/doctor?send=true");
    return await remote.get<Examination>("/doctor");
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const { message: detail, hint: fix } = error;
    return { healthy: false, findings: [{ check: "function", state: "fault", detail, fix }] };
  }
}

function show(output: Output, name: string, { findings }: Examination): void {
  for (const { check, state, detail, fix } of findings) {
    output.line(output.style(STYLES[state], MARKS[state]), `  ${name} ${check}: ${detail}`);
    if (fix !== undefined) output.line(`         ${fix}`);
  }
}
