import { once } from "node:events";
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from "node:http";

/** What the proxy does with one request instead of passing it on. */
export type Fault =
  | {
      readonly answer: number;
      readonly code: string;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    }
  /** Resets the connection when so many bytes of the request's body have come. */
  | { readonly resetAfterBytes: number }
  /** Never answers. */
  | { readonly stall: true }
  /** Passes the answer with one byte of its body changed. */
  | { readonly corrupt: true }
  /** Resets the connection when so many bytes of the answer's body have passed. */
  | { readonly cutAnswerAfterBytes: number }
  /** Passes the answer when this has. */
  | { readonly answerAfterMs: number }
  /** Passes the answer with these headers instead of its own. */
  | { readonly withHeaders: Readonly<Record<string, string>> };

export type Seen = {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
};

export type StoreProxy = {
  readonly endpoint: string;
  readonly seen: readonly Seen[];
  /** Asked for each request; `undefined` passes it on. */
  set(rule: (request: Seen) => Fault | undefined): void;
  [Symbol.asyncDispose](): Promise<void>;
};

/** Stands between a client and a store, and fails the requests that a test names. */
export async function storeProxy(targetPort: number): Promise<StoreProxy> {
  const seen: Seen[] = [];
  let rule: (request: Seen) => Fault | undefined = () => undefined;
  const server = createServer((incoming, answer) => {
    const { method = "", url: path = "", headers } = incoming;
    const one = { method, path, headers };
    seen.push(one);
    const fault = rule(one);
    if (fault === undefined || isPassing(fault)) pass(incoming, answer, targetPort, fault);
    else breakOff(incoming, answer, fault);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    endpoint: `http://127.0.0.1:${portOf(server)}`,
    seen,
    set: (next) => void (rule = next),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

type Passing = Extract<
  Fault,
  | { readonly corrupt: true }
  | { readonly cutAnswerAfterBytes: number }
  | { readonly answerAfterMs: number }
  | { readonly withHeaders: object }
>;
type Broken = Exclude<Fault, Passing>;

function isPassing(fault: Fault): fault is Passing {
  return ["corrupt", "cutAnswerAfterBytes", "answerAfterMs", "withHeaders"].some((kind) => kind in fault);
}

function breakOff(incoming: IncomingMessage, answer: ServerResponse, fault: Broken): void {
  if ("answer" in fault) {
    const {
      code,
      headers = {},
      body = `<Error><Code>${code}</Code><Message>made by the test</Message></Error>`,
    } = fault;
    incoming.resume().on("end", () => {
      answer.writeHead(fault.answer, { "content-type": "application/xml", ...headers }).end(body);
    });
  } else if ("resetAfterBytes" in fault) {
    let read = 0;
    incoming.on("data", (chunk: Buffer) => {
      read += chunk.length;
      if (read >= fault.resetAfterBytes) incoming.socket.resetAndDestroy();
    });
  } else {
    incoming.resume();
  }
}

function pass(
  incoming: IncomingMessage,
  answer: ServerResponse,
  port: number,
  fault: Passing | undefined,
): void {
  const { method, url: path, headers } = incoming;
  const waitMs = fault !== undefined && "answerAfterMs" in fault ? fault.answerAfterMs : 0;
  const outgoing = request({ host: "127.0.0.1", port, method, path, headers }, (inner) => {
    setTimeout(() => passAnswer(inner, answer, fault), waitMs);
  });
  outgoing.on("error", () => answer.destroy());
  incoming.on("error", () => outgoing.destroy());
  incoming.pipe(outgoing);
}

function passAnswer(inner: IncomingMessage, answer: ServerResponse, fault: Passing | undefined): void {
  const headers = fault !== undefined && "withHeaders" in fault ? fault.withHeaders : {};
  answer.writeHead(inner.statusCode ?? 500, { ...inner.headers, ...headers });
  let passed = 0;
  inner.on("data", (chunk: Buffer) => {
    if (fault !== undefined && "corrupt" in fault && passed === 0) chunk[0] = (chunk[0] ?? 0) ^ 1;
    passed += chunk.length;
    answer.write(chunk);
    if (fault !== undefined && "cutAnswerAfterBytes" in fault && passed >= fault.cutAnswerAfterBytes)
      answer.socket?.resetAndDestroy();
  });
  inner.on("end", () => answer.end());
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}
