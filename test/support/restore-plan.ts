import assert from "node:assert/strict";
import type { RestorePlan } from "../../functions/restore/plan/restore-plan.ts";
import type { FunctionProcess } from "./function-process.ts";

/** What a restore function would do, and what stands in the way. */
export async function askPlan(
  restore: Pick<FunctionProcess, "post">,
  body: Readonly<Record<string, unknown>>,
): Promise<RestorePlan> {
  const answer = await restore.post({ ...body, dryRun: true });
  const text = await answer.text();
  assert.equal(answer.status, 200, text);
  return JSON.parse(text) as RestorePlan;
}
