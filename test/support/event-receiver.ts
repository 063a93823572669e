import { once } from "node:events";
import { createServer } from "node:http";

type ReceivedEvent = {
  readonly id: string;
  readonly type: string;
  readonly source: string;
  readonly subject: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly authorization: string | undefined;
};

/** What K_SINK names: takes CloudEvents and keeps them. */
export type EventReceiver = {
  readonly url: string;
  readonly events: readonly ReceivedEvent[];
  /** From now on no request is answered, until what this returns is called. */
  hold(): () => void;
  [Symbol.asyncDispose](): Promise<void>;
};

export async function eventReceiver(): Promise<EventReceiver> {
  const events: ReceivedEvent[] = [];
  let open = Promise.resolve();
  const server = createServer((request, answer) => {
    // As the doctor asks.
    if (request.method !== "POST") return void answer.writeHead(405).end();
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => (body += text));
    request.on("end", () => {
      const header = (name: string) => decodeURIComponent(String(request.headers[`ce-${name}`]));
      const [id, type, source, subject] = [header("id"), header("type"), header("source"), header("subject")];
      const data = JSON.parse(body) as ReceivedEvent["data"];
      events.push({ id, type, source, subject, data, authorization: request.headers.authorization });
      void open.then(() => answer.writeHead(202).end());
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`,
    events,
    hold() {
      const { promise, resolve } = Promise.withResolvers<void>();
      open = promise;
      return resolve;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}
