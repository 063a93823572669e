import { useState } from "preact/hooks";
import type { Overview } from "../../commands/status.ts";
import { startRun } from "../api.ts";
import { Choice } from "../parts/choice.tsx";
import { Dialog } from "../parts/dialog.tsx";
import { RunView } from "./run-view.tsx";

type Asked = { readonly label?: string; readonly pin?: string | true; readonly database?: string };

type Props = {
  readonly overview: Overview;
  /** The one that is chosen at first; all where absent. */
  readonly database?: string;
  readonly close: (isDone: boolean) => void;
};

export function BackupDialog({ overview, database = "", close }: Props) {
  const databases = overview.status.databases.map((each) => each.database);
  const [asked, setAsked] = useState<Asked>();
  return (
    <Dialog title="Back up now" close={() => close(asked !== undefined)}>
      {asked === undefined ? (
        <BackupForm databases={databases} database={database} ask={setAsked} />
      ) : (
        <RunView start={() => startRun("backup", asked)} />
      )}
    </Dialog>
  );
}

type FormProps = {
  readonly databases: readonly string[];
  readonly database: string;
  readonly ask: (asked: Asked) => void;
};

function BackupForm({ databases, database, ask }: FormProps) {
  const hasSeveral = databases.length > 1;
  const [chosen, choose] = useState(database);
  const [label, setLabel] = useState("");
  const [isPinned, setPinned] = useState(false);
  const [reason, setReason] = useState("");
  const submit = (event: Event) => {
    event.preventDefault();
    ask({
      ...(hasSeveral && chosen !== "" ? { database: chosen } : {}),
      ...(label === "" ? {} : { label }),
      ...(isPinned ? { pin: reason === "" ? true : reason } : {}),
    });
  };
  return (
    <form onSubmit={submit}>
      {hasSeveral && <Choice name="Database" value={chosen} values={["", ...databases]} set={choose} />}
      <label>
        Label (optional)
        <input maxLength={200} value={label} onInput={(event) => setLabel(event.currentTarget.value)} />
      </label>
      <Pin isPinned={isPinned} setPinned={setPinned} reason={reason} setReason={setReason} />
      <p class="actions">
        <button type="submit" class="primary">
          Back up now
        </button>
      </p>
    </form>
  );
}

type PinProps = {
  readonly isPinned: boolean;
  readonly setPinned: (is: boolean) => void;
  readonly reason: string;
  readonly setReason: (reason: string) => void;
};

function Pin({ isPinned, setPinned, reason, setReason }: PinProps) {
  return (
    <>
      <label class="check">
        <input
          type="checkbox"
          checked={isPinned}
          onChange={(event) => setPinned(event.currentTarget.checked)}
        />
        Pin it: no cull removes it
      </label>
      {isPinned && (
        <label>
          Why it is pinned
          <input maxLength={200} value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
        </label>
      )}
    </>
  );
}
