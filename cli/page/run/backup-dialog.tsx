import { useState } from "preact/hooks";
import { startRun } from "../api.ts";
import { Dialog } from "../parts/dialog.tsx";
import { RunView } from "./run-view.tsx";

type Asked = { readonly label?: string; readonly pin?: string | true };

export function BackupDialog({ close }: { readonly close: (isDone: boolean) => void }) {
  const [asked, setAsked] = useState<Asked>();
  return (
    <Dialog title="Back up now" close={() => close(asked !== undefined)}>
      {asked === undefined ? (
        <BackupForm ask={setAsked} />
      ) : (
        <RunView start={() => startRun("backup", asked)} />
      )}
    </Dialog>
  );
}

function BackupForm({ ask }: { readonly ask: (asked: Asked) => void }) {
  const [label, setLabel] = useState("");
  const [isPinned, setPinned] = useState(false);
  const [reason, setReason] = useState("");
  const submit = (event: Event) => {
    event.preventDefault();
    ask({
      ...(label === "" ? {} : { label }),
      ...(isPinned ? { pin: reason === "" ? true : reason } : {}),
    });
  };
  return (
    <form onSubmit={submit}>
      <label>
        Label (optional)
        <input maxLength={200} value={label} onInput={(event) => setLabel(event.currentTarget.value)} />
      </label>
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
      <p class="actions">
        <button type="submit" class="primary">
          Back up now
        </button>
      </p>
    </form>
  );
}
