import { once } from "node:events";
import { createServer } from "node:http";

export type ReceivedEvent = { readonly type: string; readonly subject: string; readonly data: unknown };

/** What K_SINK names: takes CloudEvents and keeps them. */
export type EventReceiver = {
  readonly url: string;
  readonly events: readonly ReceivedEvent[];
  [Symbol.asyncDispose](): Promise<void>;
};

export async function eventReceiver(): Promise<EventReceiver> {
  const events: ReceivedEvent[] = [];
  const server = createServer((request, answer) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => (body += text));
    request.on("end", () => {
      const [type, subject] = [request.headers["ce-type"], request.headers["ce-subject"]];
      events.push({
        type: String(type),
        subject: decodeURIComponent(String(subject)),
        data: JSON.parse(body),
      });
      answer.writeHead(202).end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`,
    events,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}
