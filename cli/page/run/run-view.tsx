import { stepText, readProgress } from "../../text/step-text.ts";
import { bytesText, durationText } from "../../text/units.ts";
import type { Step } from "../../wire.ts";
import type { Line } from "../api.ts";
import type { Open } from "../parts/doing.ts";
import { Trouble } from "../parts/trouble.tsx";
import { useNow } from "../parts/use-now.ts";
import { Result } from "./result.tsx";
import { useRun, type Followed } from "./use-run.ts";

type Props = {
  readonly start: () => AsyncIterable<Line>;
  /** How a command of this program reaches the same functions. */
  readonly where?: string;
  readonly open?: Open;
};

/** A run as it goes: each step, the progress of a long one, and its end. */
export function RunView({ start, where = "", open }: Props) {
  const followed = useRun(start);
  const { run, steps, lost, ended } = followed;
  return (
    <div class="run">
      <ol class="steps" aria-live="polite">
        {steps.map((step, index) => (
          <li key={index}>
            <span class="dim">{localTime(step.at)}</span> {stepText(step)}
          </li>
        ))}
      </ol>
      {ended === undefined && <Working followed={followed} />}
      {lost !== undefined && ended === undefined && (
        <p class="hint">The connection broke ({lost}): the run goes on, and is asked for.</p>
      )}
      {ended !== undefined && "error" in ended && <Trouble error={ended.error} />}
      {ended !== undefined && "result" in ended && <Result result={ended.result} where={where} open={open} />}
      {run !== undefined && <p class="dim small">Run {run}. It goes on when this is closed.</p>}
    </div>
  );
}

function localTime(at: string): string {
  return new Date(at).toLocaleTimeString();
}

/** Never a bar without words. */
function Working({ followed: { steps, progress } }: { readonly followed: Followed }) {
  const now = useNow();
  if (progress !== undefined) return <Progress step={progress} />;
  const since = steps.at(-1)?.at;
  return (
    <div class="progress" role="status">
      <progress aria-label="working" />
      <span>
        {since === undefined ? "asking the function; it may have to wake up first" : "working"}
        {since !== undefined && `, ${durationText(now - Date.parse(since))} since the last step`}
      </span>
    </div>
  );
}

function Progress({ step }: { readonly step: Step }) {
  const { what, bytes, expectedBytes, bytesPerSecond, remainingMs } = readProgress(step);
  const of = expectedBytes === undefined ? "" : ` of about ${bytesText(expectedBytes)}`;
  const left = remainingMs === undefined ? "" : `, ${durationText(remainingMs)} left`;
  return (
    <div class="progress">
      <progress
        aria-label={what}
        {...(expectedBytes === undefined ? {} : { value: bytes, max: Math.max(bytes, expectedBytes) })}
      />
      <span>
        {what}: {bytesText(bytes)}
        {of}, {bytesText(bytesPerSecond)}/s{left}
      </span>
    </div>
  );
}
