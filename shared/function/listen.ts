import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { setTimeout as pause } from "node:timers/promises";

/** Go's proxies reuse a connection for up to 90 s; a server that closes it before makes 502s. */
const KEEP_ALIVE_MS = 95_000;

/** No body is large, and one that comes slowly is in memory for as long. */
const RECEIVE_MS = 60_000;

type Listener = {
  readonly port: number;
  /** Answers the requests that came so far, in their order, and all that come. */
  open(answer: RequestListener): void;
  /** Takes no further requests; those at hand are answered. */
  stop(): void;
  /** Resolves when they are, but not later than after `limitMs`. */
  closed(limitMs: number): Promise<void>;
};

/**
 * Listens on every address, as Knative's contract asks; port 0 finds a free one. Connections are accepted at once and
 * their requests wait until `open`: most of what answers them is still to be loaded, and the one waiting is a caller that
 * woke us from zero.
 */
export async function listen(port: number): Promise<Listener> {
  let answer: RequestListener | undefined;
  let waiting: Parameters<RequestListener>[] = [];
  const server = createServer((...request) => {
    if (answer === undefined) waiting.push(request);
    else answer(...request);
  });
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.headersTimeout = KEEP_ALIVE_MS + 5_000;
  server.requestTimeout = RECEIVE_MS;
  server.listen(port);
  // Rejects when the port is taken: `once` listens for "error", too.
  await once(server, "listening");
  const closed = once(server, "close");
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : port,
    open(given) {
      answer = given;
      for (const request of waiting) answer(...request);
      waiting = [];
    },
    stop: () => void server.close(),
    async closed(limitMs) {
      server.closeIdleConnections();
      await Promise.race([closed, pause(limitMs, undefined, { ref: false })]);
    },
  };
}
