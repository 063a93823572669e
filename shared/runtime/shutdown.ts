import { asDormouseError } from "../errors.ts";
import type { Log } from "../log.ts";

/**
 * Ends the process in order on the first SIGTERM or SIGINT, at once on the second, and with status 1 on an error that
 * nobody caught. Node as PID 1 ignores SIGTERM without this, and the pod would hold its volume until it is killed.
 */
export function endOnSignals(log: Log, finish: () => Promise<void>): void {
  let isEnding = false;

  async function end(signal: string): Promise<void> {
    if (isEnding) process.exit(130);
    isEnding = true;
    log.info("shutdown begun", { signal });
    await finish();
    log.info("shutdown done", { signal });
    process.exit(0);
  }

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      end(signal).catch((error: unknown) => fail(error));
    });
  }
  const fail = (error: unknown) => {
    const { code, message } = asDormouseError(error);
    log.error("process failed", {
      code,
      error: message,
      stack: error instanceof Error ? error.stack : undefined,
    });
    process.exit(1);
  };
  process.on("uncaughtException", fail);
  process.on("unhandledRejection", fail);
}
