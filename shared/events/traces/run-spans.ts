import { nameOf, type Run } from "../../run/run.ts";

type Attributes = Readonly<Record<string, string | number | boolean>>;
export type SpanData = {
  readonly name: string;
  readonly start: Date;
  readonly end: Date;
  readonly attributes: Attributes;
  /** The code of what went wrong. */
  readonly fault?: string | undefined;
};

/** The whole of a run that has ended, and below it each step, with the time from the one before. */
export function spansOf(run: Run): { readonly whole: SpanData; readonly steps: readonly SpanData[] } {
  const { kind, id, attempt, acceptedAt, finishedAt = acceptedAt, state, steps, problem } = run;
  const fault = problem?.code;
  const attributes = { "dormouse.run": id, "dormouse.attempt": attempt, "db.namespace": nameOf(run) };
  // What follows the last step is what failed, or the end itself. Steps about what could not be sent come after that.
  const work = steps.filter(({ at }) => at <= finishedAt);
  const last = { step: state, at: finishedAt, detail: {}, fault };
  const timed = [...work, last, ...steps.filter(({ at }) => at > finishedAt)];
  const starts = [acceptedAt, ...timed.map(({ at }) => at)];
  return {
    whole: { name: kind, start: acceptedAt, end: starts.at(-1) ?? finishedAt, attributes, fault },
    steps: timed.map((step, index) => ({
      name: step.step,
      start: starts[index] ?? acceptedAt,
      end: step.at,
      attributes: attributesOf(step.detail),
      fault: "fault" in step ? step.fault : undefined,
    })),
  };
}

function attributesOf(detail: Readonly<Record<string, unknown>> = {}): Attributes {
  const simple = Object.entries(detail).filter(([, value]) =>
    ["string", "number", "boolean"].includes(typeof value),
  );
  return Object.fromEntries(simple.map(([name, value]) => [`dormouse.step.${name}`, value])) as Attributes;
}
