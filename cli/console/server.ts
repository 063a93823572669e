import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Failure } from "../failure.ts";
import type { Session } from "../session.ts";
import { answer, answerProblem, begin, problemOf } from "./answers.ts";
import { guardOf, type Guard } from "./guard.ts";
import type { PageFiles } from "./page-files.ts";
import { route } from "./routes.ts";

const MAX_BODY_BYTES = 64 << 10;

type ConsoleServer = AsyncDisposable & {
  /** Its address, with a key that is good once. */
  readonly address: () => string;
  /** Resolves when the page says that it is to end. */
  readonly ended: Promise<void>;
};

type Serving = {
  readonly session: Session;
  readonly guard: Guard;
  readonly files: PageFiles;
  /** A key was used. */
  readonly entered: () => void;
  readonly end: () => void;
};

/** One page for one person, on an address that this machine alone has. */
export async function serveConsole(
  session: Session,
  files: PageFiles,
  entered: (address: string) => void,
): Promise<ConsoleServer> {
  const ending = new AbortController();
  const ended = once(ending.signal, "abort").then(() => undefined);
  const host = () => `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const guard = guardOf(host);
  const address = () => `http://${host()}/#${guard.key()}`;
  const end = () => ending.abort();
  const serving: Serving = { session, guard, files, entered: () => entered(address()), end };
  const server = createServer((request, response) => {
    void serve(serving, request, response).catch((error: unknown) =>
      answerProblem(response, 502, problemOf(error)),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address,
    ended,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function serve(serving: Serving, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { guard, files } = serving;
  const { method, url = "" } = request;
  const foreign = guard.refuseForeign(request);
  if (foreign !== undefined) return refuse(response, foreign);
  const file = method === "GET" && Object.hasOwn(files, url) ? files[url] : undefined;
  if (file !== undefined) {
    begin(response, 200, file.type);
    return void response.end(file.content);
  }
  if (method === "POST" && url === "/session") return enter(serving, request, response);
  const stranger = guard.refuseStranger(request);
  if (stranger !== undefined) return refuse(response, stranger);
  return serveOwn(serving, request, response);
}

/** To a page that has a session. */
async function serveOwn(
  { session, end }: Serving,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await readBody(request);
  if (request.method === "POST" && request.url === "/end") {
    answer(response, 200, {});
    return end();
  }
  if (await route({ session, request, response, body })) return;
  answerProblem(response, 404, { code: "not_found", detail: "the console has nothing there" });
}

async function enter(
  { guard, entered }: Serving,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await readBody(request);
  const key = typeof body === "object" && body !== null && "key" in body ? body.key : undefined;
  const session = guard.exchange(key);
  if (session === undefined)
    return refuse(response, {
      status: 401,
      detail: "this address was used already, or is not of this console",
    });
  answer(response, 200, { session });
  entered();
}

function refuse(response: ServerResponse, { status, detail }: { status: number; detail: string }): void {
  const hint = "the terminal that runs `dormouse console` shows an address that is good once";
  answerProblem(response, status, { code: status === 401 ? "no_session" : "forbidden", detail, hint });
}

/** `undefined` where nothing was sent. */
async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new Failure("the body is larger than a function takes");
    chunks.push(chunk);
  }
  return size === 0 ? undefined : (JSON.parse(Buffer.concat(chunks).toString()) as unknown);
}
