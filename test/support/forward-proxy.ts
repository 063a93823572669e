import { once } from "node:events";
import { createServer, request as send } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { pipeline } from "node:stream/promises";

/** What HTTPS_PROXY and HTTP_PROXY name. */
export type ForwardProxy = {
  readonly url: string;
  /** A line for each request: `CONNECT sink.test:443`, `POST http://sink.test/`. */
  readonly seen: readonly string[];
  [Symbol.asyncDispose](): Promise<void>;
};

/** Leads every host to a port of this machine, or answers each tunnel with `refusal`. */
export async function forwardProxy(port: number, refusal?: number): Promise<ForwardProxy> {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    const { pathname, search } = new URL(request.url ?? "");
    const { method, headers } = request;
    const onwards = send({ host: "127.0.0.1", port, method, headers, path: `${pathname}${search}` });
    onwards.on("response", (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      void pipeline(answer, response).catch(() => undefined);
    });
    void pipeline(request, onwards).catch(() => response.destroy());
  });
  server.on("connect", (request, socket) => {
    seen.push(`CONNECT ${request.url}`);
    if (refusal !== undefined) return void socket.end(`HTTP/1.1 ${refusal} refused\r\n\r\n`);
    const onwards = connect(port, "127.0.0.1", () => socket.write("HTTP/1.1 200 OK\r\n\r\n"));
    void pipeline(socket, onwards, socket).catch(() => undefined);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}
