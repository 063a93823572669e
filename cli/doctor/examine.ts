import { Failure } from "../failure.ts";
import type { Session } from "../session.ts";
import type { Examination, FunctionName } from "../wire.ts";
import type { ClusterReport } from "./seen.ts";

export type Examined = {
  readonly healthy: boolean;
  /** Where the functions are in one. */
  readonly cluster?: ClusterReport | undefined;
  readonly functions: Readonly<Partial<Record<FunctionName, Examination>>>;
};

type Asked = {
  /** Called with each part as soon as it is known. */
  readonly onReport?: (name: string, report: ClusterReport) => void;
  /** The functions send test messages, and nothing is examined. */
  readonly send?: boolean;
};

/** What is at fault in the cluster, and what each function finds of itself. */
export async function examine(session: Session, { onReport, send = false }: Asked = {}): Promise<Examined> {
  const cluster = send ? undefined : await session.access.examine?.();
  if (cluster !== undefined) onReport?.("cluster", cluster);
  const reports = await Promise.all(
    (await functionsOf(session, cluster)).map(async (name) => {
      const report = await examineOne(session, name, send);
      onReport?.(name, report);
      return [name, report] as const;
    }),
  );
  const functions = Object.fromEntries(reports);
  const healthy = [cluster, ...Object.values(functions)].every((report) => report?.healthy !== false);
  return { healthy, cluster, functions };
}

/** That there are none is a finding of the cluster's. */
async function functionsOf({ access }: Session, cluster: ClusterReport | undefined) {
  try {
    return await access.known();
  } catch (error) {
    if (cluster === undefined || !(error instanceof Failure) || error.code !== "not_installed") throw error;
    return [];
  }
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
