import { problemFrom, logged } from "../errors.ts";
import type { Log } from "../log.ts";
import { listen } from "./listen.ts";
import { clusterDomain, findNamespace } from "../kubernetes/namespace.ts";
import type { ServeOptions, Service } from "./service.ts";
import { endOnSignals } from "./shutdown.ts";
import { version } from "../version.ts";

/** For the last answers to leave, once every run has ended. */
const ANSWER_MS = 1_000;

/** Answers requests for as long as the pod lives; or carries out the one event of a Job. */
export async function serve(options: ServeOptions, load: () => Promise<Service>): Promise<void> {
  const { K_EVENT_PATH } = options.config;
  if (K_EVENT_PATH === undefined) return serveRequests(options, load);
  const { runOnce } = await import("./run-once.ts");
  return runOnce(options, await load(), K_EVENT_PATH);
}

/**
 * Accepts connections, and only then calls `load` for what answers them: libraries are most of the time that a
 * function needs to wake. What the configuration itself shows to be wrong has been found before; where `load` fails,
 * nothing was answered yet, and the process ends as it does for that.
 */
async function serveRequests(
  { log, config, trouble }: ServeOptions,
  load: () => Promise<Service>,
): Promise<void> {
  const listener = await listen(config.PORT);
  log.info("listening", { port: listener.port, version, startMs: Math.round(performance.now()) });
  const loading = Promise.all([load(), import("./service.ts"), import("../http/server.ts")]);
  const end = endOnSignals(log, async () => {
    listener.stop();
    const [{ runs, awake, dispose }, { stopped }] = await loading;
    await runs.settle(awake?.graceLeftMs() ?? config.SHUTDOWN_GRACE_SECONDS * 1000, stopped());
    await listener.closed(ANSWER_MS);
    await dispose?.();
    return 0;
  });

  const { K_SERVICE, POD_NAMESPACE, ALLOWED_HOSTS: allowed = [] } = config;
  const own = {
    service: K_SERVICE,
    namespace: findNamespace(POD_NAMESPACE),
    domain: clusterDomain(),
    allowed,
  };
  const [service, { resumeRun, sendUnsent }, { createApp }] = await loading;
  const { awake, handler } = service;
  const sendTests = async (signal: AbortSignal) => {
    const [{ testChecks }, { runChecks }] = await Promise.all([
      import("./send-test.ts"),
      import("../doctor/run-checks.ts"),
    ]);
    return runChecks(testChecks(config, handler.kind), signal);
  };
  listener.open(createApp({ ...service, log, own, trouble, sendTests, hold: awake?.hold }));
  // SIGTERM comes half a minute after the drain began, or too late: then this is the end.
  awake?.draining.addEventListener("abort", () => setTimeout(() => end("drain"), awake.graceLeftMs()));
  resumeRun(service, log);
  await sendUnsent(service, log);
}

/** Ends the process with 1 and one line in the log when `start` fails: a function that is set up wrongly never listens. */
export async function startFunction(log: Log, start: () => Promise<void>): Promise<void> {
  try {
    await start();
  } catch (error) {
    log.error("start-up failed", logged(problemFrom(error)));
    process.exit(1);
  }
}
