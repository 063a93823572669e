import type { ServerResponse } from "node:http";
import { Failure } from "../failure.ts";
import type { Watcher } from "../remote/follow.ts";
import { begin, problemOf } from "./answers.ts";

/**
 * A run as lines of JSON for the page, as a function streams it: `run`, `step`, and at the end `result` or `problem`. A line
 * `lost` says that the connection to the function broke: this program goes on asking, and the page need not.
 */
export async function streamRun(
  response: ServerResponse,
  work: (watcher: Watcher) => Promise<unknown>,
): Promise<void> {
  const leaving = new AbortController();
  response.once("close", () => leaving.abort(new Failure("the page was closed; the run goes on")));
  const write = (line: object) => void response.write(`${JSON.stringify(line)}\n`);
  begin(response, 200, "application/x-ndjson");
  response.flushHeaders();
  try {
    const result = await work({
      begun: (run) => write({ type: "run", run }),
      step: (step) => write({ type: "step", ...step }),
      lost: (why) => write({ type: "lost", why }),
      signal: leaving.signal,
    });
    write({ type: "result", result });
  } catch (error) {
    write({ type: "problem", ...problemOf(error) });
  }
  response.end();
}
