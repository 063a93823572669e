import { useEffect, useState } from "preact/hooks";
import { ApiError, type Line } from "../api.ts";
import type { Step } from "../../wire.ts";

/** What has arrived of a run. */
export type Followed = {
  readonly run?: string;
  readonly steps: readonly Step[];
  /** The last line of a long step. */
  readonly progress?: Step | undefined;
  readonly lost?: string | undefined;
  readonly ended?: { readonly result: unknown } | { readonly error: unknown };
};

const NOTHING: Followed = { steps: [] };

/** Starts or follows a run once, and follows it until it has ended, also when the dialog is closed meanwhile. */
export function useRun(start: () => AsyncIterable<Line>): Followed {
  const [followed, setFollowed] = useState(NOTHING);
  useEffect(() => {
    void follow(start, (line) => setFollowed((before) => withLine(before, line))).catch((error: unknown) =>
      setFollowed((before) => ({ ...before, progress: undefined, ended: { error } })),
    );
    // What is begun is begun once, whatever is drawn.
  }, []);
  return followed;
}

async function follow(start: () => AsyncIterable<Line>, take: (line: Line) => void): Promise<void> {
  let hasEnded = false;
  for await (const line of start()) {
    hasEnded ||= line.type === "result" || line.type === "problem";
    take(line);
  }
  if (!hasEnded)
    throw new ApiError({
      code: "console_ended",
      detail: "the console does not answer any more; the run goes on by itself",
      hint: "start it again in a terminal: dormouse console",
    });
}

function withLine(before: Followed, line: Line): Followed {
  switch (line.type) {
    case "run":
      return { ...before, run: line.run };
    case "lost":
      return { ...before, lost: line.why };
    case "step":
      return line.step === "progress"
        ? { ...before, progress: line, lost: undefined }
        : { ...before, steps: [...before.steps, line], progress: undefined, lost: undefined };
    case "result":
      return { ...before, progress: undefined, ended: { result: line.result } };
    case "problem":
      return { ...before, progress: undefined, ended: { error: new ApiError(line) } };
  }
}
