import type { Overview } from "../../commands/status.ts";
import type { DatabaseStatus, Todo } from "../../commands/status-of.ts";
import type { Open } from "./doing.ts";
import { Advice } from "./advice.tsx";

type Props = { readonly overview: Overview; readonly open: Open };

/** Is everything all right: one sentence, in words and colour; else what has to be done. */
export function Verdict({ overview: { status }, open }: Props) {
  const { databases, healthy, unknown, bucketProblem } = status;
  const todos = databases.flatMap((database) => database.todo.map((todo) => ({ database, todo })));
  const others = [
    ...(bucketProblem === undefined ? [] : [`The bucket does not answer: ${bucketProblem.message}`]),
    ...unknown.map((what) => `Not known: ${what}`),
  ];
  return (
    <section class={`verdict ${healthy ? "good" : "bad"}`} aria-label="Is everything all right?">
      <Mark isGood={healthy} />
      <div>
        <h2>{sentence(databases, healthy)}</h2>
        <ul class="plain">
          {todos.map(({ database, todo }) => (
            <li key={`${database.database} ${todo.kind} ${todo.text}`}>
              <p>
                <strong>{database.database}</strong>: {todo.text}
              </p>
              <Remedy database={database} todo={todo} open={open} />
            </li>
          ))}
          {others.map((what) => (
            <li key={what}>{what}</li>
          ))}
        </ul>
        {databases.length === 0 && <BackUp open={open} />}
      </div>
    </section>
  );
}

function sentence(databases: readonly DatabaseStatus[], healthy: boolean): string {
  if (databases.length === 0) return "There is no backup of any database yet.";
  if (healthy) return "All is well. There is nothing to do.";
  return databases.some(({ todo }) => todo.length > 0)
    ? "There is something to do."
    : "Not everything could be asked.";
}

function Mark({ isGood }: { readonly isGood: boolean }) {
  return (
    <svg class="mark" viewBox="0 0 24 24" aria-hidden="true">
      <circle cx="12" cy="12" r="11" />
      <path d={isGood ? "M6.5 12.5l3.6 3.6 7.4-8" : "M12 6v7.5M12 17.2v.3"} />
    </svg>
  );
}

/** What this page can do about it. */
function Remedy({ database, todo, open }: { database: DatabaseStatus; todo: Todo; open: Open }) {
  const { newest, before } = database;
  if (todo.kind === "suspect" && newest !== undefined)
    return (
      <p class="actions">
        {before !== undefined && (
          <button type="button" onClick={() => open({ kind: "compare", now: newest, before })}>
            Compare with the one before
          </button>
        )}
        <button type="button" onClick={() => open({ kind: "mark", action: "acknowledge", backup: newest })}>
          Acknowledge
        </button>
      </p>
    );
  return (
    <>
      <Advice text={todo.advice} />
      {(todo.kind === "none" || todo.kind === "failed") && (
        <BackUp database={database.database} open={open} />
      )}
    </>
  );
}

function BackUp({ database, open }: { readonly database?: string; readonly open: Open }) {
  return (
    <p class="actions">
      <button
        type="button"
        onClick={() => open({ kind: "backup", ...(database === undefined ? {} : { database }) })}
      >
        Back up now
      </button>
    </p>
  );
}
