import { nameOf, type Run } from "../../run/run.ts";
import { staleCondition } from "./message-rules.ts";

/** The troubles that a run has ended by what it did. */
export function settledBy(run: Run): readonly string[] {
  const { kind, state, steps } = run;
  const database = nameOf(run);
  const mirrored = steps.some(({ step }) => step === "mirrored")
    ? [`dev.dormouse.mirror.failed ${database}`]
    : [];
  const culled = steps.flatMap(({ step, detail }) =>
    step === "culled" ? [`dev.dormouse.cull.failed ${String(detail?.["place"])}`] : [],
  );
  const taken =
    kind === "backup" && state === "succeeded"
      ? [`dev.dormouse.backup.failed ${database}`, staleCondition(database, "volume")]
      : [];
  return [...taken, ...mirrored, ...culled];
}
