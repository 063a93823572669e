import type { Request, Response } from "express";
import type { Run } from "../run/run.ts";
import type { Answer, Handler } from "./handler.ts";
import { DormouseError } from "../errors.ts";
import { toProblemDetails } from "./problem.ts";
import type { StartedRun } from "../run/runs.ts";

const HEARTBEAT_MS = 10_000;

/** Answers a person: the result when it is there, or where to ask for it. A closed connection stops no run. */
export async function answerRun(
  request: Request,
  response: Response,
  started: StartedRun,
  answerOf: Handler["answer"] = async () => undefined,
): Promise<void> {
  response.set("Dormouse-Run", started.run.id);
  const closed = closedSignal(response);
  if (request.accepts(["json", "application/x-ndjson"]) === "application/x-ndjson") {
    return streamRun(response, started, answerOf, closed);
  }
  const { respondAsync, waitMs } = readPrefer(request.get("prefer"));
  if (respondAsync && waitMs === undefined) return accepted(response, started.run, "respond-async");
  try {
    const limits = waitMs === undefined ? [closed] : [closed, AbortSignal.timeout(waitMs)];
    const run = await started.finished(AbortSignal.any(limits));
    answerEnd(response, run, await answerOf(run));
  } catch (error) {
    if (closed.aborted) return;
    if (waitMs === undefined) throw error;
    accepted(response, started.run, `wait=${waitMs / 1000}`);
  }
}

function accepted(response: Response, run: Run, applied: string): void {
  response.status(202).location(`/runs/${run.id}`).set("Preference-Applied", applied);
  response.json({ run: run.id, state: run.state });
}

function answerEnd(response: Response, run: Run, answer: Answer | undefined): void {
  if (answer !== undefined) return void response.status(answer.status).json(answer.body);
  if (run.problem === undefined) return void response.status(200).json(run.result);
  const problem = toProblemDetails(run.problem, run.id);
  response.status(problem.status).type("application/problem+json").json(problem);
}

/** One JSON object a line: each step as it is taken, a sign of life in between, and the result or the problem. */
async function streamRun(
  response: Response,
  started: StartedRun,
  answerOf: NonNullable<Handler["answer"]>,
  closed: AbortSignal,
): Promise<void> {
  const write = (line: unknown) => void response.write(`${JSON.stringify(line)}\n`);
  response.status(200).type("application/x-ndjson");
  write({ type: "run", run: started.run.id, state: started.run.state });
  const unsubscribe = started.subscribe((step) => write({ type: "step", ...step }));
  const heartbeat = setInterval(() => write({ type: "heartbeat" }), HEARTBEAT_MS);
  try {
    const run = await started.finished(closed);
    write(lastLine(run, await answerOf(run)));
    response.end();
  } catch (error) {
    if (!closed.aborted) throw error;
  } finally {
    clearInterval(heartbeat);
    unsubscribe();
  }
}

function lastLine({ id, problem, result }: Run, answer: Answer | undefined): object {
  if (answer !== undefined) return { type: "result", status: answer.status, result: answer.body };
  if (problem === undefined) return { type: "result", result };
  return { ...toProblemDetails(problem, id), type: "problem" };
}

function closedSignal(response: Response): AbortSignal {
  const closed = new AbortController();
  response.on("close", () => closed.abort(new DormouseError("internal", "the caller went away")));
  return closed.signal;
}

/** What a caller prefers (RFC 7240). */
type Preference = {
  readonly respondAsync: boolean;
  /** How long the caller will wait, in milliseconds; `undefined` for as long as it takes. */
  readonly waitMs: number | undefined;
};

/** Unknown preferences are ignored, as the RFC asks. */
function readPrefer(header: string | undefined): Preference {
  const preferences = (header ?? "").split(",").map((preference) => preference.trim().toLowerCase());
  const wait = preferences
    .map((preference) => /^wait\s*=\s*"?(\d{1,6})"?/.exec(preference)?.[1])
    .find(Boolean);
  return {
    respondAsync: preferences.includes("respond-async"),
    waitMs: wait === undefined ? undefined : Number(wait) * 1000,
  };
}
