import assert from "node:assert/strict";
import type { Finding, Report } from "../../shared/doctor/finding.ts";
import type { FunctionProcess } from "./function-process.ts";

export async function toReport(process: FunctionProcess): Promise<Report> {
  const response = await process.get("/doctor");
  assert.equal(response.status, 200);
  return (await response.json()) as Report;
}

/** The state of each check, whatever fixes this machine's PostgreSQL lacks. */
export function states(findings: readonly Finding[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    findings
      .filter(({ detail }) => !detail.includes("security fixes"))
      .map(({ check, state }) => [check, state]),
  );
}
