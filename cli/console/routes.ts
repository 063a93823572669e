import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { overview } from "../commands/status.ts";
import { examine } from "../doctor/examine.ts";
import { executeRun, followRun } from "../remote/follow.ts";
import type { Session } from "../session.ts";
import { FUNCTIONS, type FunctionName } from "../wire.ts";
import { answer, begin } from "./answers.ts";
import { streamRun } from "./run-stream.ts";

/** What the page asks for; `body` is what it sent. */
type Asked = {
  readonly session: Session;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly body: unknown;
};

/** The whole path, as it was sent: what is no such text leads nowhere, `..` and escapes neither. */
const OF_A_FUNCTION = new RegExp(
  `^/functions/(${FUNCTIONS.join("|")})(/|/doctor|/runs|/runs/[a-z]+-[0-9a-f]{24})$`,
);
const FOLLOWED = new RegExp(`^/follow/((${FUNCTIONS.join("|")})-[0-9a-f]{24})$`);

/** Answers, or resolves with false where there is nothing under that path. */
export async function route(asked: Asked): Promise<boolean> {
  const { session, request, response } = asked;
  const { method = "", url = "" } = request;
  if (method === "GET" && url === "/overview") answer(response, 200, await overview(session));
  else if (method === "GET" && url === "/examination") answer(response, 200, await examine(session));
  else return (await follow(asked)) || passOn(asked);
  return true;
}

async function follow({ session, request, response }: Asked): Promise<boolean> {
  const [, run, name] = FOLLOWED.exec(request.url ?? "") ?? [];
  if (run === undefined || request.method !== "GET") return false;
  const remote = await session.remote(name as FunctionName);
  await streamRun(response, (watcher) => followRun(remote, run, watcher));
  return true;
}

/** To a function, with the token of the person. */
async function passOn(asked: Asked): Promise<boolean> {
  const { session, request, response, body } = asked;
  const [, name, path = ""] = OF_A_FUNCTION.exec(request.url ?? "") ?? [];
  if (name === undefined) return false;
  const remote = await session.remote(name as FunctionName);
  if (request.method === "GET") await copy(remote.request("GET", path), response);
  else if (request.method !== "POST" || path !== "/") return false;
  // Follows the run to its end, also when the connection to the function breaks.
  else if (request.headers.accept === "application/x-ndjson")
    await streamRun(response, (watcher) => executeRun(remote, body, watcher));
  else await copy(remote.request("POST", path, { body }), response);
  return true;
}

async function copy(answering: Promise<IncomingMessage>, response: ServerResponse): Promise<void> {
  const answer = await answering;
  begin(response, answer.statusCode ?? 502, answer.headers["content-type"] ?? "text/plain");
  await pipeline(answer, response);
}
