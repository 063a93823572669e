import type { Check, Finding, Report } from "./finding.ts";
import { asDormouseError } from "../errors.ts";

const LIMIT_MS = 20_000;

/** Looks at everything at once; a check that fails or takes too long says only so much about itself. */
export async function runChecks(checks: readonly Check[], signal: AbortSignal): Promise<Report> {
  const findings = (await Promise.all(checks.map((check) => toFindings(check, signal)))).flat();
  return { healthy: findings.every(({ state }) => state !== "fault"), findings };
}

async function toFindings({ name, run }: Check, signal: AbortSignal): Promise<readonly Finding[]> {
  const limit = AbortSignal.timeout(LIMIT_MS);
  try {
    const found = await run(AbortSignal.any([signal, limit]));
    return found.map((finding) => ({ check: name, ...finding }));
  } catch (error) {
    if (limit.aborted) {
      return [{ check: name, state: "fault", detail: `no answer within ${LIMIT_MS / 1000} s` }];
    }
    const { message, hint } = asDormouseError(error);
    return [{ check: name, state: "fault", detail: message, fix: hint }];
  }
}
