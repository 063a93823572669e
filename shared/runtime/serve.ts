import type { Authorize } from "../backup/authorize.ts";
import type { Run } from "../backup/run.ts";
import { asDormouseError, DormouseError } from "../errors.ts";
import type { Log } from "../log.ts";
import { listen } from "./listen.ts";
import type { Runs } from "./runs.ts";
import type { Handler } from "./server.ts";
import { endOnSignals } from "./shutdown.ts";

/** What is known before the first connection is accepted. */
export type Entrance = {
  readonly log: Log;
  readonly port: number;
  readonly shutdownGraceMs: number;
  readonly version: string;
};

/** A function, wired: what is left is to answer, to take up what was interrupted, and to end in order. */
export type Service = {
  readonly handler: Handler;
  readonly runs: Runs;
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

/**
 * Accepts connections, and only then calls `load` for what answers them: libraries are most of the time that a
 * function needs to wake. What the configuration itself shows to be wrong has been found before; where `load` fails,
 * nothing was answered yet, and the process ends as it does for that.
 */
export async function serve(entrance: Entrance, load: () => Promise<Service>): Promise<void> {
  const { log, port, shutdownGraceMs, version } = entrance;
  const door = await listen(port);
  log.info("listening", { port: door.port, version, startMs: Math.round(performance.now()) });
  const loading = Promise.all([load(), import("./server.ts")]);
  endOnSignals(log, async () => {
    door.stop();
    const [service] = await loading;
    await service.runs.settle(shutdownGraceMs, stopped());
    await door.closed(ANSWER_MS);
    await service.dispose?.();
  });

  const [{ handler, runs, authorize, interrupted }, { createApp }] = await loading;
  door.open(createApp({ handler, runs, log, authorize }));
  for (const run of interrupted) {
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
    process.exit(1);
  }
}

function stopped(): DormouseError {
  return new DormouseError("interrupted", "the pod was told to stop before the run ended", {
    hint: "the run is taken up when the function starts again, within six hours",
  });
}
