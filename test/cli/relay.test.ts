import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { execa } from "execa";

const RELAY = "relay/index.mjs";

describe("the relay", () => {
  it("passes bytes on to one host, each direction to its own end, and listens for its own pod alone", async () => {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      void text(socket).then((said) => socket.end(`received ${said}`));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const target = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const relay = spawn(process.execPath, [RELAY, target, "0"], { stdio: ["ignore", "pipe", "inherit"] });
    try {
      const [line] = (await once(createInterface(relay.stdout), "line")) as [string];
      const socket = connect({
        port: Number((JSON.parse(line) as { port: number }).port),
        host: "127.0.0.1",
      });
      socket.end("hello");

      assert.equal(await text(socket), "received hello");
      const elsewhere = connect({ port: socket.remotePort ?? 0, host: "127.0.0.2" });
      const [refused] = (await once(elsewhere, "error")) as [NodeJS.ErrnoException];
      assert.equal(refused.code, "ECONNREFUSED");
    } finally {
      relay.kill("SIGTERM");
      const [code] = (await once(relay, "exit")) as [number | null];
      server.close();
      assert.equal(code, 0);
    }
  });

  for (const target of [[], ["nowhere"], ["a host:80"], ["host:http"]])
    it(`starts for no target that is none: ${JSON.stringify(target)}`, async () => {
      const { exitCode } = await execa(process.execPath, [RELAY, ...target], {
        reject: false,
        timeout: 600_000,
      });

      assert.equal(exitCode, 2);
    });
});
