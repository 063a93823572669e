import { useEffect, useState } from "preact/hooks";
import { Told, type Line } from "../api.ts";
import type { Step } from "../../wire.ts";

/** What has been heard of a run. */
export type Heard = {
  readonly run?: string;
  readonly steps: readonly Step[];
  /** The last line of a long step. */
  readonly progress?: Step | undefined;
  readonly lost?: string | undefined;
  readonly ended?: { readonly result: unknown } | { readonly error: unknown };
};

const NOTHING: Heard = { steps: [] };

/** Starts or follows a run once, and hears of it until it has ended, also when the dialog is closed meanwhile. */
export function useRun(start: () => AsyncIterable<Line>): Heard {
  const [heard, setHeard] = useState(NOTHING);
  useEffect(() => {
    void hear(start, (line) => setHeard((before) => toHeard(before, line))).catch((error: unknown) =>
      setHeard((before) => ({ ...before, progress: undefined, ended: { error } })),
    );
    // What is begun is begun once, whatever is drawn.
  }, []);
  return heard;
}

async function hear(start: () => AsyncIterable<Line>, tell: (line: Line) => void): Promise<void> {
  let hasEnded = false;
  for await (const line of start()) {
    hasEnded ||= line.type === "result" || line.type === "problem";
    tell(line);
  }
  if (!hasEnded)
    throw new Told({
      code: "console_ended",
      detail: "the console does not answer any more; the run goes on by itself",
      hint: "start it again in a terminal: dormouse console",
    });
}

function toHeard(before: Heard, line: Line): Heard {
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
      return { ...before, progress: undefined, ended: { error: new Told(line) } };
  }
}
