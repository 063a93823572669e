import { useState } from "preact/hooks";
import type { Examined } from "../../doctor/examine.ts";
import { get } from "../api.ts";
import { Trouble } from "./trouble.tsx";

type State = { readonly isAsking?: true; readonly examined?: Examined; readonly error?: unknown };

/** What is at fault with what the functions need. It is asked for, since it takes each function some seconds. */
export function Doctor() {
  const [{ isAsking, examined, error }, set] = useState<State>({});
  const ask = () => {
    set({ isAsking: true });
    get<Examined>("/examination").then(
      (found) => set({ examined: found }),
      (why: unknown) => set({ error: why }),
    );
  };
  return (
    <section class="card" aria-labelledby="doctor">
      <h2 id="doctor">Doctor</h2>
      <p class="actions">
        <button type="button" onClick={ask} disabled={isAsking === true}>
          Examine what the functions need
        </button>
        <span role="status">{isAsking === true && "each function looks at itself"}</span>
      </p>
      {error !== undefined && <Trouble error={error} />}
      {examined !== undefined && <Findings examined={examined} />}
    </section>
  );
}

const ORDER = ["fault", "warning", "unseen", "good"] as const;
const TAGS = { fault: "bad", warning: "warn", unseen: "", good: "good" } as const;

function Findings({ examined: { healthy, cluster, functions } }: { readonly examined: Examined }) {
  const reports = { ...(cluster === undefined ? {} : { cluster }), ...functions };
  const all = Object.entries(reports).flatMap(([name, { findings }]) =>
    findings.map((finding) => ({ name, ...finding })),
  );
  const sorted = all.toSorted((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state));
  return (
    <>
      <p role="status">
        <strong>{healthy ? "Nothing is at fault." : "Something is at fault."}</strong>
      </p>
      <ul class="findings">
        {sorted.map(({ name, check, state, detail, fix }) => (
          <li key={`${name} ${check} ${detail}`}>
            <span class={`tag ${TAGS[state]}`}>{state}</span>
            <span>
              {name}, {check}: {detail}
              {fix !== undefined && <span class="hint">{fix}</span>}
            </span>
          </li>
        ))}
      </ul>
    </>
  );
}
