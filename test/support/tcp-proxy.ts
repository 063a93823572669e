import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

type TcpProxy = {
  readonly port: number;
  /** From now on bytes vanish in both directions, and no connection ends: a cable pulled out. */
  blackhole(): void;
  /** From now on bytes pass again, those that vanished excepted. */
  pass(): void;
  /** Resets every connection. */
  reset(): void;
  [Symbol.asyncDispose](): Promise<void>;
};

/** Sees what passes in one connection; what it answers `false` to does not. */
export type Watch = {
  sent(bytes: Buffer): boolean;
  answered(bytes: Buffer): boolean;
};

const UNWATCHED: Watch = { sent: () => true, answered: () => true };

/** A network between a client and a server on this machine, to be broken. */
export async function tcpProxy(targetPort: number, watchNext = () => UNWATCHED): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let isOpen = true;
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ port: targetPort, host: "127.0.0.1", allowHalfOpen: true });
    const watch = watchNext();
    join(near, far, (bytes) => watch.sent(bytes));
    join(far, near, (bytes) => watch.answered(bytes));
  });

  function join(from: Socket, to: Socket, passes: (bytes: Buffer) => boolean): void {
    sockets.add(from);
    from.on("data", (chunk) => {
      if (isOpen && passes(chunk) && !to.write(chunk)) from.pause();
    });
    to.on("drain", () => from.resume());
    from.on("error", () => to.destroy());
    from.on("end", () => {
      if (isOpen) to.end();
    });
    from.on("close", () => {
      sockets.delete(from);
      if (isOpen) to.end();
    });
  }

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    blackhole: () => void (isOpen = false),
    pass: () => void (isOpen = true),
    reset: () => sockets.forEach((socket) => socket.resetAndDestroy()),
    async [Symbol.asyncDispose]() {
      server.close();
      sockets.forEach((socket) => socket.destroy());
    },
  };
}
