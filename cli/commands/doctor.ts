import { examine } from "../doctor/examine.ts";
import type { ClusterReport } from "../doctor/seen.ts";
import { EXIT, wrongUsage, type Exit } from "../failure.ts";
import type { Output } from "../output.ts";
import type { Session } from "../session.ts";

const MARKS = { good: "ok     ", warning: "warning", fault: "FAULT  ", unseen: "unseen " } as const;
const STYLES = { good: "green", warning: "yellow", fault: "red", unseen: "dim" } as const;

export type DoctorOptions = { readonly kustomize?: string; readonly send?: true };

/** What is installed, or with a folder what that would install; or what becomes of test messages. */
export async function doctor(session: Session, { kustomize, send }: DoctorOptions): Promise<Exit> {
  const { output } = session;
  const report = (name: string, report: ClusterReport) => show(output, name, report);
  const examined =
    kustomize === undefined
      ? await examine(session, { onReport: report, send: send === true })
      : await ofFolder(session, kustomize, report);
  if (output.isJson) output.json(examined);
  return examined.healthy ? EXIT.good : EXIT.unhealthy;
}

async function ofFolder(
  { access }: Session,
  folder: string,
  report: (name: string, report: ClusterReport) => void,
) {
  if (access.examine === undefined)
    throw wrongUsage("--kustomize asks a cluster, and --url reaches none", "leave out --url");
  const cluster = await access.examine(folder);
  report("cluster", cluster);
  return { healthy: cluster.healthy, cluster };
}

function show(output: Output, name: string, { findings }: ClusterReport): void {
  for (const { check, state, detail, fix } of findings) {
    output.line(output.style(STYLES[state], MARKS[state]), `  ${name} ${check}: ${detail}`);
    if (fix !== undefined) output.line(`         ${fix}`);
  }
}
