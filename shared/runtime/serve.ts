import type { Authorize } from "../backup/authorize.ts";
import type { Run } from "../backup/run.ts";
import { asDormouseError, DormouseError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Runs } from "./runs.ts";
import { createApp, listen, type Handler } from "./server.ts";
import { endOnSignals } from "./shutdown.ts";

/** A function, wired: what is left is to listen, to take up what was interrupted, and to end in order. */
export type Service = {
  readonly handler: Handler;
  readonly runs: Runs;
  readonly log: Log;
  readonly port: number;
  readonly shutdownGraceMs: number;
  readonly version: string;
  /**
   * Runs that an earlier process left unfinished, found before the first request: a run that begins later must not be
   * taken for one of them.
   */
  readonly interrupted: readonly Run[];
  readonly authorize?: Authorize | undefined;
  /** When every run has ended and the last answer has left. */
  readonly dispose?: (() => Promise<void>) | undefined;
};

/** For the last answers to leave, once every run has ended. */
const ANSWER_MS = 1_000;

export async function serve(service: Service): Promise<void> {
  const { handler, runs, log, authorize } = service;
  const server = await listen(createApp({ handler, runs, log, authorize }), service.port);
  const { version } = service;
  log.info("listening", { port: server.port, version, startMs: Math.round(performance.now()) });
  endOnSignals(log, async () => {
    server.stop();
    await runs.settle(service.shutdownGraceMs, stopped());
    await server.closed(ANSWER_MS);
    await service.dispose?.();
  });
  for (const run of service.interrupted) {
    log.info("run taken up", { run: run.id, attempt: run.attempt });
    runs.takeUp(run, handler.work);
  }
}

/** Ends the process with 1 and one line in the log when `start` fails: a function that is set up wrongly never listens. */
export async function startFunction(log: Log, start: () => Promise<void>): Promise<void> {
  try {
    await start();
  } catch (error) {
    const { code, message, hint } = asDormouseError(error);
    log.error("start-up failed", { code, error: message, hint });
    process.exitCode = 1;
  }
}

function stopped(): DormouseError {
  return new DormouseError("interrupted", "the pod was told to stop before the run ended", {
    hint: "the run is taken up when the function starts again, within six hours",
  });
}
