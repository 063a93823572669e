// What comes in on the port leaves for one fixed host, and for nothing else: `relay/index.mjs HOST:PORT`. It is reached by
// a port-forward alone, which enters the pod's own network: no other pod comes to it.
import { connect, createServer } from "node:net";

const [target = "", listenOn = "8080"] = process.argv.slice(2);
const [, host, port] = /^([a-z0-9.-]+):([0-9]+)$/.exec(target) ?? [];
if (host === undefined) {
  process.stderr.write("usage: relay/index.mjs HOST:PORT [PORT TO LISTEN ON]\n");
  process.exit(2);
}

const server = createServer({ allowHalfOpen: true }, (near) => {
  const far = connect({ host, port: Number(port), allowHalfOpen: true });
  near.pipe(far);
  far.pipe(near);
  near.on("error", () => far.destroy());
  far.on("error", () => near.destroy());
  near.on("close", () => far.destroy());
  far.on("close", () => near.destroy());
});
server.listen(Number(listenOn), "127.0.0.1", () => {
  process.stdout.write(`${JSON.stringify({ message: "relaying", port: server.address().port, target })}\n`);
});
process.on("SIGTERM", () => process.exit(0));
