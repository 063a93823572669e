import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

type Heard = {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  body: string;
};

/** Takes requests to any path, keeps them, and answers as last set. */
export async function webhooks() {
  const received: Heard[] = [];
  let answer = (_: IncomingMessage, response: ServerResponse): void => void response.end();
  const server = createServer((request, response) => {
    const { method = "", url = "", headers } = request;
    const each = { method, path: url, headers, body: "" };
    received.push(each);
    request.setEncoding("utf8").on("data", (text: string) => (each.body += text));
    request.on("end", () => answer(request, response));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const answerBy = (by: typeof answer): void => {
    received.length = 0;
    answer = by;
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    /** Forgets what it received, and answers like this from now on. */
    answerBy,
    take: (status = 200, headers = {}): void =>
      answerBy((_, response) => void response.writeHead(status, headers).end()),
    [Symbol.dispose]: () => void server.close(),
  };
}
