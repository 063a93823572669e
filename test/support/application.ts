import { setTimeout as pause } from "node:timers/promises";
import pg from "pg";
import type { RestoreStage } from "./restore-stage.ts";

type Application = AsyncDisposable & {
  /** How often it has got an answer. */
  answers(): number;
};

/** One of the owner's that is not stopped, and that wants the database back: it asks the same again and again. */
export function connectAgainAndAgain(
  { server, database, owner }: RestoreStage,
  sql = "SELECT pg_sleep(0.01)",
): Application {
  const { host, port } = server;
  const stopped = new AbortController();
  let answers = 0;

  async function session(): Promise<void> {
    const client = new pg.Client({ host, port, user: owner, password: owner, database });
    client.on("error", () => undefined);
    try {
      await client.connect();
      while (!stopped.signal.aborted) {
        await client.query(sql);
        answers += 1;
      }
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  async function loop(): Promise<void> {
    while (!stopped.signal.aborted) {
      await session().catch(() => undefined);
      await pause(5);
    }
  }

  const ended = loop();
  return {
    answers: () => answers,
    async [Symbol.asyncDispose]() {
      stopped.abort();
      await ended;
    },
  };
}
