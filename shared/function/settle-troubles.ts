import { settledBy } from "../events/notify/settled.ts";
import { settleTrouble } from "../events/notify/trouble.ts";
import type { RunMonitor } from "../run/execute-run.ts";

/** Once it went well, the next failure is news, however soon it comes. */
export function settleTroubles(backupDir: string): RunMonitor {
  return {
    async ended(run) {
      const settled = settledBy(run).map((condition) => settleTrouble(backupDir, condition));
      // A file that stays keeps a later failure quiet for a day at most.
      await Promise.allSettled(settled);
    },
  };
}
