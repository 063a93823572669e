/** What an examination of one thing found, and what to do about it. */
export type Finding = {
  /** What was checked: `volume`, `database`, ... */
  readonly check: string;
  /** `warning`: it works, and something of it may hurt one day. */
  readonly state: "good" | "warning" | "fault";
  /** Which one it is about, where the function looks at several. */
  readonly database?: string | undefined;
  /** One sentence in lower case. */
  readonly detail: string;
  /** What to change and where. */
  readonly fix?: string | undefined;
};

export type Report = {
  /** Nothing is at fault. Warnings may be there. */
  readonly healthy: boolean;
  readonly findings: readonly Finding[];
};

/** Checks one thing and changes nothing that stays. What it throws is a finding, too. */
export type Check = {
  readonly name: string;
  readonly run: (signal: AbortSignal) => Promise<readonly Omit<Finding, "check">[]>;
};

export function good(detail: string): Omit<Finding, "check"> {
  return { state: "good", detail };
}
