import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { request, type IncomingMessage, type RequestOptions } from "node:http";
import { text } from "node:stream/consumers";
import { setTimeout as pause } from "node:timers/promises";
import type { RequestHandler } from "express";
import { DormouseError } from "../errors.ts";
import type { Log } from "../log.ts";

/** Keeps the pod for as long as runs are active, and notices that it must go nevertheless. */
export type StayAwake = {
  /** Holds the pod until `signal` aborts. Any number of runs may ask at once. */
  readonly whileActive: (signal: AbortSignal) => Promise<void>;
  /** Aborts as soon as the pod is being drained. */
  readonly draining: AbortSignal;
  /** How long the runs may still go on when it is. */
  graceLeftMs(): number | undefined;
  /** Answers the requests that this process sends to itself, and no others. */
  readonly hold: { readonly path: string; readonly answer: RequestHandler };
};

/** Where the queue-proxy of each pod of Knative listens. */
const QUEUE_PROXY_URL = "http://127.0.0.1:8012";
const HOLD_PATH = "/internal/hold";
const SECRET_HEADER = "Dormouse-Hold";
/** However long a request may last: one that died unnoticed is followed by the next. */
const MAX_HOLD_MS = 240_000;
const WATCH_MS = 1_000;
/** For child processes to end, files to be removed and records to be written, before SIGKILL. */
const MAX_ENDING_MS = 10_000;
/** Only this pair is answered by the queue-proxy itself; it is not counted as a request. */
const PROBE_HEADERS = { "K-Network-Probe": "queue", "User-Agent": "kube-probe/dormouse" };

/**
 * `timeoutMs` is the `timeoutSeconds` of the service: the limit of a request, and the time between the begin of a drain
 * and SIGKILL. A pod without a request is scaled away within 90 s, whatever runs in it. So the function sends one to itself through
 * its own queue-proxy, which counts it. But while such requests go on, a pod that is being deleted gets SIGTERM only
 * with SIGKILL upon its heels; hence the probe, which is answered with 503 from the moment of the deletion.
 */
export function stayAwake(timeoutMs: number, log: Log): StayAwake {
  const holdMs = Math.min(timeoutMs * 0.8, MAX_HOLD_MS);
  const endingMs = Math.min(timeoutMs * 0.2, MAX_ENDING_MS);
  const secret = randomUUID();
  const draining = new AbortController();
  let active = 0;
  let idle = new AbortController();
  let endsAtMs = Infinity;

  function drained(): void {
    if (draining.signal.aborted) return;
    endsAtMs = performance.now() + timeoutMs - WATCH_MS - endingMs;
    draining.abort(new DormouseError("interrupted", "the pod is being drained"));
    log.info("drain begun", { graceLeftMs: endsAtMs - performance.now() });
  }

  return {
    async whileActive(signal) {
      active += 1;
      if (active === 1) {
        idle = new AbortController();
        const over = AbortSignal.any([idle.signal, draining.signal]);
        void hold({ secret, holdMs }, log, over);
        void watch(drained, over);
      }
      await aborted(signal);
      if (--active === 0) idle.abort();
    },
    draining: draining.signal,
    graceLeftMs: () => (draining.signal.aborted ? Math.max(0, endsAtMs - performance.now()) : undefined),
    hold: {
      path: HOLD_PATH,
      async answer(request, response, next) {
        if (request.get(SECRET_HEADER) !== secret) return next();
        // An answer that begins late is cut, too.
        response.status(200).type("text/plain").write(" ");
        await waited(holdMs, AbortSignal.any([idle.signal, draining.signal]));
        response.end();
      },
    },
  };
}

type Holding = { readonly secret: string; readonly holdMs: number };

/** One request after the other, as long as there is a reason. */
async function hold({ secret, holdMs }: Holding, log: Log, over: AbortSignal): Promise<void> {
  let hasWarned = false;
  while (!over.aborted) {
    try {
      const status = await ask(new URL(HOLD_PATH, QUEUE_PROXY_URL), {
        method: "POST",
        headers: { [SECRET_HEADER]: secret },
        signal: AbortSignal.timeout(holdMs + MAX_ENDING_MS),
      });
      if (status !== 200) throw new Error(`status ${status}`);
    } catch (error) {
      if (!hasWarned && !over.aborted) log.warn("keep-alive request failed", { error: describeCause(error) });
      hasWarned = true;
      await waited(WATCH_MS, over);
    }
  }
}

async function watch(drained: () => void, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    try {
      const status = await ask(new URL(QUEUE_PROXY_URL), {
        headers: PROBE_HEADERS,
        signal: AbortSignal.timeout(WATCH_MS * 5),
      });
      if (status === 503) drained();
    } catch {
      // No proxy to ask; the request that holds the pod logs that.
    }
    await waited(WATCH_MS, over);
  }
}

/**
 * The status, once the answer has ended. Without an agent: that of the process may know a proxy (NODE_USE_ENV_PROXY),
 * and what is asked here is in this pod.
 */
async function ask(url: URL, options: RequestOptions): Promise<number> {
  const call = request(url, { ...options, agent: false });
  // One that comes after the answer has begun ends the reading of that.
  call.on("error", () => undefined).end();
  const [answer] = (await once(call, "response")) as [IncomingMessage];
  await text(answer);
  return answer.statusCode ?? 0;
}

/** Both ends are as good as each other: the time is over, or `signal` aborts. */
async function waited(ms: number, signal: AbortSignal): Promise<void> {
  await pause(ms, undefined, { signal, ref: false }).catch(() => undefined);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function describeCause(error: unknown): string {
  return error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
}
