import { useCallback, useEffect, useState } from "preact/hooks";
import type { Overview } from "../commands/status.ts";
import { durationText } from "../text/units.ts";
import { get, post } from "./api.ts";
import { Catalog } from "./catalog/catalog.tsx";
import { Databases } from "./parts/databases.tsx";
import { Dialogs } from "./parts/dialogs.tsx";
import type { Doing, Open } from "./parts/doing.ts";
import { Doctor } from "./parts/doctor.tsx";
import { History } from "./parts/history.tsx";
import { Runs } from "./parts/runs.tsx";
import { Trouble } from "./parts/trouble.tsx";
import { useNow } from "./parts/use-now.ts";
import { Verdict } from "./parts/verdict.tsx";

type Known = { readonly overview: Overview; readonly at: number };

/** The whole page. Each request wakes the functions: it asks when it is opened, when the operator presses "Look again", and after an action. */
export function App() {
  const { known, error, askedAt, ask } = useOverview();
  const [doing, open] = useState<Doing>();
  const [hasEnded, setEnded] = useState(false);
  const close = (isDone: boolean) => {
    open(undefined);
    if (isDone) ask();
  };
  if (hasEnded) return <Ended />;
  return (
    <>
      <Top at={known?.at} askedAt={askedAt} ask={ask} end={() => setEnded(true)} />
      <main>
        {error !== undefined && <Trouble error={error} />}
        {known !== undefined && <Content overview={known.overview} open={open} />}
        {known === undefined && error === undefined && <Waiting since={askedAt} />}
      </main>
      {doing !== undefined && known !== undefined && (
        <Dialogs doing={doing} overview={known.overview} open={open} close={close} />
      )}
    </>
  );
}

function Content({ overview, open }: { readonly overview: Overview; readonly open: Open }) {
  return (
    <>
      <Verdict overview={overview} open={open} />
      <Databases overview={overview} open={open} />
      <History backups={overview.catalog.backups} />
      <Catalog overview={overview} open={open} />
      <Runs runs={overview.runs} open={open} />
      <Doctor />
    </>
  );
}

function useOverview() {
  const [known, setKnown] = useState<Known>();
  const [error, setError] = useState<unknown>();
  const [askedAt, setAskedAt] = useState<number>();
  const ask = useCallback(() => {
    setAskedAt(Date.now());
    setError(undefined);
    get<Overview>("/overview")
      .then((overview) => setKnown({ overview, at: Date.now() }), setError)
      .finally(() => setAskedAt(undefined))
      .catch(setError);
  }, []);
  useEffect(ask, [ask]);
  return { known, error, askedAt, ask };
}

type TopProps = {
  readonly at: number | undefined;
  readonly askedAt: number | undefined;
  readonly ask: () => void;
  readonly end: () => void;
};

function Top({ at, askedAt, ask, end }: TopProps) {
  const now = useNow();
  const isAsking = askedAt !== undefined;
  const age = at === undefined ? "" : `as of ${new Date(at).toLocaleTimeString()}${ageText(now - at)}`;
  return (
    <header class="top">
      <h1>Dormouse</h1>
      <p class="dim" role="status">
        {isAsking && at !== undefined ? "asking again" : age}
      </p>
      <button type="button" onClick={ask} disabled={isAsking}>
        Look again
      </button>
      <button
        type="button"
        class="quiet"
        aria-label="End the console"
        onClick={() => void post("/end", {}).then(end, end)}
      >
        End
      </button>
    </header>
  );
}

/** Nothing is asked again by itself: after some minutes a person should know. */
function ageText(ageMs: number): string {
  return ageMs < 60_000 ? "" : `, ${durationText(ageMs)} ago`;
}

/** Functions sleep, and a start takes its time. */
function Waiting({ since }: { readonly since: number | undefined }) {
  const now = useNow();
  return (
    <section class="card waiting" role="status">
      <p>
        <strong>Asking the functions.</strong> They sleep until they are needed: to wake them takes some
        seconds
        {since === undefined ? "." : `, ${Math.max(0, Math.round((now - since) / 1000))} s so far.`}
      </p>
      <progress aria-label="waiting for the functions" />
    </section>
  );
}

function Ended() {
  return (
    <main>
      <h1>The console has ended</h1>
      <p>Runs go on by themselves. To open it again, in a terminal: dormouse console</p>
    </main>
  );
}
