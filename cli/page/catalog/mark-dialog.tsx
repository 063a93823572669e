import { useState } from "preact/hooks";
import type { Backup } from "../../wire.ts";
import { post } from "../api.ts";
import { Dialog } from "../parts/dialog.tsx";
import type { Mark } from "../parts/doing.ts";
import { Trouble } from "../parts/trouble.tsx";

const WORDS: Readonly<
  Record<Mark, { readonly title: string; readonly says: string; readonly button: string }>
> = {
  pin: { title: "Pin a backup", says: "No cull removes it.", button: "Pin it" },
  unpin: { title: "Unpin a backup", says: "Culls may remove it again.", button: "Unpin it" },
  acknowledge: {
    title: "Acknowledge a backup",
    says: "You have looked at it: it is not suspect any more, and no longer stops the cull.",
    button: "Acknowledge it",
  },
};

type Props = {
  readonly action: Mark;
  readonly backup: Backup;
  readonly close: (isDone: boolean) => void;
};

export function MarkDialog({ action, backup, close }: Props) {
  const { title, says, button } = WORDS[action];
  const [reason, setReason] = useState("");
  const [state, setState] = useState<{ readonly error?: unknown; readonly isAsking?: true }>({});
  const submit = (event: Event) => {
    event.preventDefault();
    setState({ isAsking: true });
    const body = { [action]: backup.name, ...(reason === "" ? {} : { reason }) };
    post("/functions/cull/", body).then(
      () => close(true),
      (error: unknown) => setState({ error }),
    );
  };
  return (
    <Dialog title={title} close={() => close(false)}>
      <form onSubmit={submit}>
        <p>
          <code>{backup.name}</code>
        </p>
        <p>{says}</p>
        {action !== "unpin" && (
          <label>
            Why
            <input maxLength={200} value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
          </label>
        )}
        {state.error !== undefined && <Trouble error={state.error} />}
        <p class="actions">
          <button type="submit" class="primary" disabled={state.isAsking === true}>
            {button}
          </button>
          <span role="status">{state.isAsking === true && "asking the function cull"}</span>
        </p>
      </form>
    </Dialog>
  );
}
