import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DormouseError } from "../errors.ts";
import { readEvent } from "../http/cloud-event.ts";
import { type ServeOptions, type Service, stopped, resumeRun, sendUnsent } from "./service.ts";
import { endOnSignals } from "./shutdown.ts";
import { takeEvent } from "../http/take-event.ts";
import { never } from "../waiting.ts";

const STRUCTURED = { "content-type": "application/cloudevents+json" };

/**
 * Carries out the one event of a Job to its end, and ends the process with 0 when it went well. A Job that is tried
 * again finds the run of its event: it goes on with one that was interrupted, and does nothing twice.
 */
export async function runOnce(
  { log, config }: ServeOptions,
  service: Service,
  eventPath: string,
): Promise<void> {
  const { runs, dispose } = service;
  const graceMs = config.SHUTDOWN_GRACE_SECONDS * 1000;
  const others = resumeRun(service, log);
  const unsent = sendUnsent(service, log);
  const done = (async () => {
    const isDone = await carryOutEvent(service, join(eventPath, "event"));
    await Promise.all(others.map(({ finished }) => finished(never)));
    // A run has finished before its events and messages are sent, be it of this process or of an earlier one.
    await unsent;
    await runs.settle(graceMs, stopped());
    await dispose?.();
    return isDone ? 0 : 1;
  })();
  endOnSignals(log, async () => {
    await runs.settle(graceMs, stopped());
    return done;
  });
  process.exit(await done);
}

async function carryOutEvent({ handler, runs }: Service, path: string): Promise<boolean> {
  const event = readEvent(STRUCTURED, await readEventFile(path));
  const started = await takeEvent(handler, runs, event);
  const run = await started?.finished(never);
  return run === undefined || run.state === "succeeded";
}

async function readEventFile(path: string): Promise<string> {
  return readFile(path, "utf8").catch((error: unknown) => {
    throw new DormouseError("configuration_invalid", `there is no event at ${path}`, {
      hint: "K_EVENT_PATH is for the Jobs of a JobSink, which mounts the event there",
      cause: error,
    });
  });
}
