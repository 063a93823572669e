import type { Problem } from "../remote/client.ts";
import type { FunctionName, Step } from "../wire.ts";

const SESSION = "dormouse-session";

/** What the console or a function says instead of an answer. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly code: string | undefined;
  readonly hint: string | undefined;

  constructor({ code, detail = "it failed without a reason", hint }: Problem) {
    super(detail);
    this.code = code;
    this.hint = hint;
  }
}

/** Exchanges the key of the address for a session, which this tab alone has. */
export async function enter(): Promise<void> {
  const key = location.hash.slice(1);
  if (key !== "") {
    history.replaceState(null, "", location.pathname);
    const { session } = await post<{ session: string }>("/session", { key });
    sessionStorage.setItem(SESSION, session);
  }
  if (sessionStorage.getItem(SESSION) === null)
    throw new ApiError({
      code: "no_session",
      detail: "this tab was not opened by the console",
      hint: "the terminal that runs `dormouse console` shows an address that is good once",
    });
}

export async function get<Answer>(path: string): Promise<Answer> {
  return (await (await ask(path, {})).json()) as Answer;
}

export async function post<Answer>(path: string, body: unknown): Promise<Answer> {
  return (await (await ask(path, toPost(body))).json()) as Answer;
}

/** As `streamRun` of the console writes them. */
export type Line =
  | { readonly type: "run"; readonly run: string }
  | ({ readonly type: "step" } & Step)
  | { readonly type: "lost"; readonly why: string }
  | { readonly type: "result"; readonly result: unknown }
  | ({ readonly type: "problem" } & Problem);

export async function* startRun(name: FunctionName, body: unknown): AsyncGenerator<Line> {
  const accept = { accept: "application/x-ndjson" };
  yield* lines(await ask(`/functions/${name}/`, toPost(body), accept));
}

export async function* followRun(run: string): AsyncGenerator<Line> {
  yield* lines(await ask(`/follow/${run}`, {}));
}

async function* lines({ body }: Response): AsyncGenerator<Line> {
  let rest = "";
  for await (const text of (body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
    const parts = `${rest}${text}`.split("\n");
    rest = parts.pop() ?? "";
    for (const part of parts) yield JSON.parse(part) as Line;
  }
}

function toPost(body: unknown): RequestInit {
  return { method: "POST", body: JSON.stringify(body) };
}

async function ask(path: string, init: RequestInit, more: Record<string, string> = {}): Promise<Response> {
  const session = sessionStorage.getItem(SESSION);
  const headers = { ...more, ...(session === null ? {} : { "x-dormouse-session": session }) };
  const answer = await fetch(path, { ...init, headers }).catch(() => {
    throw new ApiError({
      code: "console_ended",
      detail: "the console does not answer: it has ended",
      hint: "start it again in a terminal: dormouse console",
    });
  });
  if (answer.ok) return answer;
  const text = await answer.text();
  throw new ApiError(problemIn(text, answer.status));
}

function problemIn(text: string, status: number): Problem {
  try {
    return JSON.parse(text) as Problem;
  } catch {
    return { detail: `status ${status}: ${text.slice(0, 200)}` };
  }
}
