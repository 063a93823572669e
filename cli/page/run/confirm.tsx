import { useState } from "preact/hooks";
import type { RestorePlan } from "../../wire.ts";

/** What changes the live database is begun by its name, typed. */
export function Confirm({ plan, go }: { readonly plan: RestorePlan; readonly go: () => void }) {
  const { database, strategy } = plan;
  const [typed, setTyped] = useState("");
  const isRight = typed === database;
  const submit = (event: Event) => {
    event.preventDefault();
    if (isRight) go();
  };
  return (
    <form class="confirm" onSubmit={submit}>
      <label>
        <span>
          Type the name of the database to go on: <strong>{database}</strong>
        </span>
        <input
          autoComplete="off"
          autoCapitalize="off"
          spellcheck={false}
          value={typed}
          onInput={(event) => setTyped(event.currentTarget.value)}
        />
      </label>
      <button type="submit" class="danger" disabled={!isRight}>
        {strategy === "undo" ? "Undo the restore of" : "Restore"} {database}
      </button>
    </form>
  );
}
