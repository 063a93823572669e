import { once } from "node:events";
import { createServer, request as forward, type IncomingMessage, type ServerResponse } from "node:http";

type QueueProxySettings = {
  /** `timeoutSeconds`: what a request is cut at, and how long after the begin of its deletion a pod is killed. */
  readonly timeoutMs: number;
  /** Without a new request for so long, a draining pod gets its SIGTERM. Knative takes 30 s. */
  readonly drainMs: number;
};

/** The container that Knative puts beside each function, as far as a function can notice it. */
export type QueueProxy = {
  readonly url: string;
  /** The function behind it. */
  target: { readonly url: string; readonly pid: number } | undefined;
  /** Requests that the autoscaler would count at this moment. */
  readonly inFlight: number;
  /** Those that have ended: their path, and what became of them. */
  readonly ended: readonly { readonly path: string; readonly outcome: number | "cut" }[];
  readonly probes: number;
  /** The pod is deleted: SIGTERM when no request has come for a while, SIGKILL when the time is over. */
  deletePod(): void;
  [Symbol.asyncDispose](): Promise<void>;
};

export async function startQueueProxy({ timeoutMs, drainMs }: QueueProxySettings): Promise<QueueProxy> {
  const state = { inFlight: 0, probes: 0, isDraining: false };
  const ended: { path: string; outcome: number | "cut" }[] = [];
  const timers = new Set<NodeJS.Timeout>();
  let term: NodeJS.Timeout | undefined;

  const later = (ms: number, act: () => void) => {
    const timer = setTimeout(act, ms);
    timers.add(timer);
    return timer;
  };
  const signal = (name: NodeJS.Signals) => {
    try {
      process.kill(proxy.target?.pid ?? 0, name);
    } catch {
      // It has left by itself.
    }
  };
  const awaitQuiet = () => {
    clearTimeout(term);
    term = later(drainMs, () => signal("SIGTERM"));
  };

  const server = createServer((request, response) => {
    if (isOwnProbe(request)) {
      state.probes += 1;
      response.writeHead(state.isDraining ? 503 : 200).end(state.isDraining ? "shutting down" : "queue");
      return;
    }
    if (state.isDraining) awaitQuiet();
    state.inFlight += 1;
    const path = request.url ?? "";
    const cut = later(timeoutMs, () => {
      ended.push({ path, outcome: "cut" });
      if (response.headersSent) response.end("request timeout");
      else response.writeHead(504).end("request timeout");
    });
    response.on("close", () => {
      state.inFlight -= 1;
      clearTimeout(cut);
    });
    pass(request, response, proxy.target?.url ?? "", (status) => ended.push({ path, outcome: status }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;

  const proxy: QueueProxy = {
    url: `http://127.0.0.1:${port}`,
    target: undefined,
    get inFlight() {
      return state.inFlight;
    },
    get probes() {
      return state.probes;
    },
    ended,
    deletePod() {
      state.isDraining = true;
      awaitQuiet();
      later(timeoutMs, () => signal("SIGKILL"));
    },
    async [Symbol.asyncDispose]() {
      timers.forEach((timer) => clearTimeout(timer));
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return proxy;
}

/** Only with both is a probe answered here; with one of them it goes on to the function. */
function isOwnProbe({ headers }: IncomingMessage): boolean {
  return headers["k-network-probe"] === "queue" && (headers["user-agent"] ?? "").startsWith("kube-probe/");
}

function pass(
  request: IncomingMessage,
  response: ServerResponse,
  target: string,
  done: (status: number) => void,
): void {
  const { method, headers, url = "/" } = request;
  const onward = forward(new URL(url, target), { method: method ?? "GET", headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
    answer.on("end", () => done(answer.statusCode ?? 502));
  });
  onward.on("error", () => {
    done(502);
    response.writeHead(502).end();
  });
  request.pipe(onward);
}
