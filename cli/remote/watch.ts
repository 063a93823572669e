import { isCancel, select } from "@clack/prompts";
import { Failure } from "../failure.ts";
import type { Session } from "../session.ts";
import { progressText, stepText } from "../text/step-text.ts";
import type { Run } from "../wire.ts";
import type { Remote } from "./client.ts";
import { executeRun, followRun, type Watcher } from "./follow.ts";

const PLAIN_PROGRESS_MS = 30_000;

/** Has something done and shows how it goes. Ctrl-C never stops a run: it asks whether to go on watching. */
export function watched<Result>(session: Session, remote: Remote, body: unknown): Promise<Result> {
  return withWatcher(session, undefined, (watcher) => executeRun<Result>(remote, body, watcher));
}

export function watchedRun<Result>(session: Session, remote: Remote, run: string): Promise<Result> {
  return withWatcher(session, run, (watcher) => followRun<Result>(remote, run, watcher));
}

async function withWatcher<Result>(
  session: Session,
  known: Run["id"] | undefined,
  work: (watcher: Watcher) => Promise<Result>,
): Promise<Result> {
  const { output } = session;
  const leaving = new AbortController();
  let run = known;
  const interrupted = onInterrupt(session, () => run, leaving);
  process.on("SIGINT", interrupted);
  process.on("SIGTERM", interrupted);
  try {
    return await work({
      ...printing(session),
      begun(id) {
        run = id;
        output.note(output.style("dim", `run ${id}`));
      },
      signal: leaving.signal,
    });
  } finally {
    output.redraw(undefined);
    process.off("SIGINT", interrupted);
    process.off("SIGTERM", interrupted);
  }
}

function printing({ output }: Session): Pick<Watcher, "step" | "lost"> {
  let printedAt = 0;
  return {
    step(step) {
      if (step.step !== "progress") return output.note(`${step.at.slice(11, 19)}  ${stepText(step)}`);
      output.redraw(progressText(step));
      // A log of a script has no line that is drawn again.
      if (output.isInteractive || Date.now() - printedAt < PLAIN_PROGRESS_MS) return;
      printedAt = Date.now();
      output.note(progressText(step));
    },
    lost: (why) =>
      output.note(output.style("yellow", `the connection broke (${why}): the run goes on and is asked for`)),
  };
}

function onInterrupt(session: Session, run: () => string | undefined, leaving: AbortController) {
  const { output } = session;
  let isAsking = false;
  const leave = () => {
    const id = run();
    const hint = id === undefined ? "nothing was begun" : session.commandLine(`run ${id} --follow`);
    const message =
      id === undefined ? "left before the run began" : "left: the run goes on by itself; to watch it again";
    leaving.abort(new Failure(message, { code: "left", hint }));
  };
  return (): void => {
    if (!output.isInteractive || run() === undefined || isAsking) return leave();
    isAsking = true;
    output.redraw(undefined);
    void askWhether().then((stays) => {
      isAsking = false;
      if (!stays) leave();
    });
  };
}

async function askWhether(): Promise<boolean> {
  const answer = await select({
    message: "The run goes on whatever you do here.",
    options: [
      { value: "wait", label: "wait for its end" },
      { value: "leave", label: "leave it running" },
    ],
  });
  return !isCancel(answer) && answer === "wait";
}
