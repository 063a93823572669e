import { EXIT, Failure, type Exit } from "../failure.ts";
import type { Session } from "../session.ts";
import type { Output } from "../output.ts";
import { plainText } from "../text/units.ts";
import type { Examination, FunctionName } from "../wire.ts";

const MARKS = { good: "ok     ", warning: "warning", fault: "FAULT  " } as const;
const STYLES = { good: "green", warning: "yellow", fault: "red" } as const;

/** What each function finds of itself, in one report. */
export async function doctor(session: Session): Promise<Exit> {
  const { output, ways } = session;
  const names = await ways.known();
  const reports = await Promise.all(
    names.map(async (name) => [name, await examined(session, name)] as const),
  );
  const healthy = reports.every(([, report]) => report.healthy);
  if (output.isJson) output.json({ healthy, functions: Object.fromEntries(reports) });
  else for (const [name, report] of reports) show(output, name, report);
  return healthy ? EXIT.good : EXIT.unhealthy;
}

/** A function that does not answer is a finding, too. */
async function examined(session: Session, name: FunctionName): Promise<Examination> {
  try {
    return await (await session.remote(name)).get<Examination>("/doctor");
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const { message: detail, hint: fix } = error;
    return { healthy: false, findings: [{ check: "function", state: "fault", detail, fix }] };
  }
}

function show(output: Output, name: FunctionName, { findings }: Examination): void {
  for (const { check, state, detail, fix } of findings) {
    output.line(`${output.style(STYLES[state], MARKS[state])}  ${name} ${plainText(`${check}: ${detail}`)}`);
    if (fix !== undefined) output.line(`         ${plainText(fix)}`);
  }
}
