import { useState } from "preact/hooks";
import { tookText, whatOf } from "../../text/run-words.ts";
import { stepText } from "../../text/step-text.ts";
import type { Run } from "../../wire.ts";
import type { Open } from "./doing.ts";
import { Time } from "./time.tsx";

const SHOWN = 12;

/** The latest of all functions, each with its steps. */
export function Runs({ runs, open }: { readonly runs: readonly Run[]; readonly open: Open }) {
  const [isWhole, setWhole] = useState(false);
  return (
    <section class="card" aria-labelledby="runs">
      <h2 id="runs">Runs</h2>
      {runs.length === 0 && <p>There is none yet.</p>}
      <ul class="runs">
        {(isWhole ? runs : runs.slice(0, SHOWN)).map((run) => (
          <li key={run.id}>
            <OneRun run={run} open={open} />
          </li>
        ))}
      </ul>
      {runs.length > SHOWN && !isWhole && (
        <button type="button" onClick={() => setWhole(true)}>
          Show all {runs.length}
        </button>
      )}
    </section>
  );
}

function OneRun({ run, open }: { readonly run: Run; readonly open: Open }) {
  const { id, kind, state, acceptedAt, steps, problem } = run;
  const what = whatOf(run);
  const isGoing = state !== "succeeded" && state !== "failed";
  return (
    <details>
      <summary>
        <span class={`tag ${state === "failed" ? "bad" : state === "succeeded" ? "good" : ""}`}>{state}</span>{" "}
        <strong>{kind}</strong> {what === "-" ? "" : what} <span class="dim">{tookText(run)}</span>{" "}
        <Time at={acceptedAt} />
      </summary>
      <p class="dim small">{id}</p>
      <ol class="steps">
        {steps.map((step, index) => (
          <li key={index}>
            <span class="dim">{new Date(step.at).toLocaleTimeString()}</span> {stepText(step)}
          </li>
        ))}
      </ol>
      {problem !== undefined && (
        <div class="trouble">
          <p>
            <code>{problem.code}</code> {problem.message}
          </p>
          {problem.hint !== undefined && <p class="hint">{problem.hint}</p>}
        </div>
      )}
      {isGoing && (
        <button type="button" onClick={() => open({ kind: "follow", run: id })}>
          Watch it
        </button>
      )}
    </details>
  );
}
