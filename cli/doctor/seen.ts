import type { Finding } from "../../shared/doctor/finding.ts";
import { Failure } from "../failure.ts";

/** What was found of one thing in the cluster; `unseen` is what this account may not look at. */
type Seen = Omit<Finding, "state"> & { readonly state: Finding["state"] | "unseen" };
export type Found = Omit<Seen, "check">;

export type ClusterReport = {
  /** Nothing is at fault, of what was seen. */
  readonly healthy: boolean;
  readonly findings: readonly Seen[];
};

/** Looks at one thing and changes nothing. */
export type Look = readonly [check: string, look: () => Promise<readonly Found[]>];

export function good(detail: string): Found {
  return { state: "good", detail };
}

/** Looks at everything at once. Throws where the cluster does not answer. */
export async function lookAt(looks: readonly Look[]): Promise<ClusterReport> {
  const findings = (await Promise.all(looks.map(seen))).flat();
  return { healthy: findings.every(({ state }) => state !== "fault"), findings };
}

async function seen([check, look]: Look): Promise<readonly Seen[]> {
  try {
    return (await look()).map((found) => ({ check, ...found }));
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== "right_missing") throw error;
    return [{ check, state: "unseen", detail: `your account may not look: ${error.message}` }];
  }
}
