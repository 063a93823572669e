import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, it } from "node:test";
import { listen } from "../../shared/function/listen.ts";

describe("listening", () => {
  it("accepts connections at once and answers what they asked when it is opened, in their order", async () => {
    const door = await listen(0);
    const url = `http://127.0.0.1:${door.port}`;
    const asked = await Promise.all(["/first", "/second"].map((path) => ask(door.port, path)));
    const seen: (string | undefined)[] = [];

    door.open((request, response) => {
      seen.push(request.url);
      response.end(`answer to ${request.url}`);
    });
    const answers = await Promise.all(asked.map((answer) => answer.text()));
    const later = await (await fetch(`${url}/third`)).text();
    door.stop();
    await door.closed(10_000);

    assert.deepEqual(seen, ["/first", "/second", "/third"]);
    assert.deepEqual(
      [...answers, later].map((text) => text.split("answer to ")[1]),
      ["/first", "/second", "/third"],
    );
  });

  it("rejects a port that is taken", async () => {
    const door = await listen(0);

    await assert.rejects(listen(door.port), { code: "EADDRINUSE" });
    door.stop();
  });
});

/** Sends a request and does not wait for its answer, which a client library would. */
async function ask(port: number, path: string): Promise<{ text(): Promise<string> }> {
  const socket = connect(port, "127.0.0.1");
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  await once(socket, "connect");
  let text = "";
  socket.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  const ended = once(socket, "end");
  return { text: async () => (await ended, text) };
}
