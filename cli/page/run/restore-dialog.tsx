import { useEffect, useState } from "preact/hooks";
import type { Backup, RestorePlan } from "../../wire.ts";
import { post, startRun } from "../api.ts";
import type { Open } from "../parts/doing.ts";
import { Dialog } from "../parts/dialog.tsx";
import { Trouble } from "../parts/trouble.tsx";
import { Confirm } from "./confirm.tsx";
import { PlanView } from "./plan-view.tsx";
import { RunView } from "./run-view.tsx";

type Props = {
  readonly where: string;
  readonly open: Open;
  readonly close: (isDone: boolean) => void;
} & (
  | { readonly kind: "restore"; readonly backup: Pick<Backup, "name" | "elsewhere"> }
  | { readonly kind: "undo"; readonly run: string }
);

type Body = Readonly<Record<string, unknown>>;

/** Plan, confirmation and run of what changes the live database. */
export function RestoreDialog(props: Props) {
  const { close, open, where } = props;
  const [isInPlace, setInPlace] = useState(false);
  const [started, setStarted] = useState<Body>();
  const title = props.kind === "undo" ? "Undo a restore" : `Restore ${props.backup.name}`;
  return (
    <Dialog title={title} close={() => close(started !== undefined)}>
      {started === undefined ? (
        <>
          {props.kind === "restore" && <InPlace isInPlace={isInPlace} set={setInPlace} />}
          <Planned body={bodyOf(props, isInPlace)} go={setStarted} />
        </>
      ) : (
        <RunView start={() => startRun("restore", started)} where={where} open={open} />
      )}
    </Dialog>
  );
}

/** The plan, and the confirmation where nothing stands in its way. */
function Planned({ body, go }: { readonly body: Body; readonly go: (body: Body) => void }) {
  const { plan, error } = usePlan(body);
  if (error !== undefined) return <Trouble error={error} />;
  if (plan === undefined)
    return <p role="status">Planning; nothing is changed. The function may have to wake up first.</p>;
  return (
    <>
      <PlanView plan={plan} />
      {plan.blockers.length === 0 && <Confirm plan={plan} go={() => go(body)} />}
    </>
  );
}

function bodyOf(props: Props, isInPlace: boolean): Body {
  if (props.kind === "undo") return { undo: props.run };
  return {
    filename: props.backup.name,
    ...(isInPlace ? { strategy: "in-place" } : {}),
    ...(props.backup.elsewhere === undefined ? {} : { fromElsewhere: true }),
  };
}

/** Of what is asked for now: the answer to an earlier question is passed over. */
function usePlan(body: Body): { readonly plan?: RestorePlan | undefined; readonly error?: unknown } {
  const [known, setKnown] = useState<{ plan?: RestorePlan; error?: unknown }>({});
  const asked = JSON.stringify(body);
  useEffect(() => {
    let isCurrent = true;
    setKnown({});
    post<RestorePlan>("/functions/restore/", { ...(JSON.parse(asked) as Body), dryRun: true }).then(
      (plan) => isCurrent && setKnown({ plan }),
      (error: unknown) => isCurrent && setKnown({ error }),
    );
    return () => void (isCurrent = false);
  }, [asked]);
  return known;
}

function InPlace({ isInPlace, set }: { readonly isInPlace: boolean; readonly set: (is: boolean) => void }) {
  return (
    <label class="check">
      <input type="checkbox" checked={isInPlace} onChange={(event) => set(event.currentTarget.checked)} />
      In place, where no second database can be made: the application is down for the whole load
    </label>
  );
}
