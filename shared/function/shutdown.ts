import { asDormouseError } from "../errors.ts";
import type { Log } from "../log.ts";

/**
 * Ends the process in order on the first SIGTERM or SIGINT, at once on the second, and with status 1 on an error that
 * no handler caught. Node as PID 1 ignores SIGTERM without this, and the pod would hold its volume until it is killed.
 * `finish` answers the exit code. Returns how to end without a signal.
 */
export function endOnSignals(log: Log, finish: () => Promise<number>): (cause: string) => void {
  let isEnding = false;

  async function end(cause: string): Promise<void> {
    isEnding = true;
    log.info("shutdown begun", { signal: cause });
    const code = await finish();
    log.info("shutdown done", { signal: cause });
    process.exit(code);
  }

  function begin(cause: string): void {
    if (!isEnding) end(cause).catch((error: unknown) => fail(error));
  }

  let hasCome = false;
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      if (hasCome) process.exit(130);
      hasCome = true;
      begin(signal);
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
  return begin;
}
