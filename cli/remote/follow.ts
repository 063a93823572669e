import { randomUUID } from "node:crypto";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { Failure } from "../failure.ts";
import type { Run, Step } from "../wire.ts";
import { describeFailure, read, type Problem, type Remote } from "./client.ts";

/** A stream has a line at least every ten seconds: after this long it is broken, whatever TCP says. */
const SILENCE_MS = 45_000;
const LOOK_AGAIN_MS = 1_000;
const GIVE_UP_MS = 10 * 60_000;

/** The viewer of a run. */
export type Watcher = {
  readonly begun: (run: string) => void;
  readonly step: (step: Step) => void;
  /** The connection broke, and the run is asked for by its name from now on. */
  readonly lost: (why: string) => void;
  /** Aborts when the person leaves; the run goes on. */
  readonly signal: AbortSignal;
};

type Line = Step & {
  readonly type: "run" | "step" | "heartbeat" | "result" | "problem";
  readonly run?: string;
  readonly result?: unknown;
};

/** What has arrived of a run: after a broken stream, following continues from there. */
type Followed = { run: string | undefined; steps: number; ended?: { readonly result: unknown } };

/**
 * Has something done, and answers with the result of its run, however often the connection breaks: the request bears a
 * key, by which it is one run however often it is sent.
 */
export async function executeRun<Result>(remote: Remote, body: unknown, watcher: Watcher): Promise<Result> {
  const key = randomUUID();
  const followed: Followed = { run: undefined, steps: 0 };
  const deadline = Date.now() + GIVE_UP_MS;
  while (followed.run === undefined && followed.ended === undefined) {
    await stream(remote, { body, key }, followed, watcher).catch(async (error: unknown) => {
      watcher.signal.throwIfAborted();
      // Nothing was ever there: no run was begun, and an address that leads nowhere is not tried for minutes.
      const isInVain = followed.run === undefined && (isRefused(error) || Date.now() > deadline);
      if (isInVain || !isBroken(error)) throw error;
      watcher.lost(error instanceof Error ? error.message : String(error));
      if (followed.run === undefined) await pause(LOOK_AGAIN_MS, undefined, { signal: watcher.signal });
    });
  }
  if (followed.ended !== undefined) return followed.ended.result as Result;
  return endOf<Result>(remote, followed, watcher);
}

/** The result of a run that is known by its name, followed step by step. */
export function followRun<Result>(remote: Remote, run: string, watcher: Watcher): Promise<Result> {
  return endOf<Result>(remote, { run, steps: 0 }, watcher);
}

async function stream(
  remote: Remote,
  { body, key }: { readonly body: unknown; readonly key: string },
  followed: Followed,
  watcher: Watcher,
): Promise<void> {
  const headers = { accept: "application/x-ndjson", "idempotency-key": key };
  const answer = await remote.request("POST", "/", { body, headers, signal: watcher.signal });
  if ((answer.statusCode ?? 0) >= 400) return void (await read(remote.name, answer));
  const silence = setTimeout(() => answer.destroy(new Error("nothing came for too long")), SILENCE_MS);
  answer.once("aborted", () => answer.destroy(new Error("the connection was cut")));
  try {
    const lines = createInterface({ input: answer, crlfDelay: Infinity });
    const failed = new Promise<never>((_, reject) => answer.once("error", reject));
    failed.catch(() => undefined);
    const iterator = lines[Symbol.asyncIterator]();
    for (;;) {
      const { value, done } = await Promise.race([iterator.next(), failed]);
      if (done === true || followed.ended !== undefined) return;
      silence.refresh();
      receive(value, followed, watcher);
    }
  } finally {
    clearTimeout(silence);
    answer.destroy();
  }
}

function receive(text: string, followed: Followed, watcher: Watcher): void {
  const line = parsed(text);
  if (line === undefined) return;
  const { type, run, result, ...step } = line;
  if (type === "run" && run !== undefined) {
    followed.run = run;
    watcher.begun(run);
  } else if (type === "step") {
    if (step.step !== "progress") followed.steps += 1;
    watcher.step(step);
  } else if (type === "result") followed.ended = { result };
  else if (type === "problem") throw describeFailure(JSON.parse(text) as Problem);
}

/** A line that was cut says nothing; the run is asked for then. */
function parsed(text: string): Line | undefined {
  try {
    return JSON.parse(text) as Line;
  } catch {
    return undefined;
  }
}

/** Asks once a second how the run stands: also while the function is gone, since another pod takes it up. */
async function endOf<Result>(remote: Remote, followed: Followed, watcher: Watcher): Promise<Result> {
  let silentSince: number | undefined;
  for (;;) {
    const run = await remote.get<Run>(`/runs/${followed.run}`, watcher.signal).catch((error: unknown) => {
      silentSince ??= Date.now();
      if (!isBroken(error) || Date.now() - silentSince > GIVE_UP_MS) throw error;
      return undefined;
    });
    watcher.signal.throwIfAborted();
    if (run !== undefined) {
      silentSince = undefined;
      // A run that was begun again has other steps.
      if (run.steps.length < followed.steps) followed.steps = 0;
      for (const step of run.steps.slice(followed.steps)) watcher.step(step);
      followed.steps = run.steps.length;
      if (run.state === "succeeded") return run.result as Result;
      if (run.state === "failed") throw describeFailure({ ...run.problem });
    }
    await pause(LOOK_AGAIN_MS, undefined, { signal: watcher.signal });
  }
}

/** What ends a process's part in a run and not the run, and what a function says that just starts. */
const PASSING: ReadonlySet<string> = new Set([
  "unreachable",
  "overloaded",
  "rate_limited",
  "interrupted",
  "rollback_pending",
  "run_superseded",
  "volume_silent",
]);

/** The connection broke, or the function just starts or ends; all else is an answer. */
function isBroken(error: unknown): boolean {
  if (!(error instanceof Failure)) return !(error instanceof Error && error.name === "AbortError");
  return PASSING.has(error.code ?? "");
}

function isRefused(error: unknown): boolean {
  const cause = error instanceof Failure ? error.cause : undefined;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  return (
    (error instanceof Failure && error.code !== "unreachable") || ["ECONNREFUSED", "ENOTFOUND"].includes(code)
  );
}
