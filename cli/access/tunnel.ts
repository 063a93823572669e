import { Duplex, PassThrough } from "node:stream";
import { PortForward } from "@kubernetes/client-node";
import { asking, type Cluster } from "./cluster.ts";

/** One connection to a port of a pod. No port of this machine is opened: no other user of it can use the connection. */
export async function tunnelTo(cluster: Cluster, pod: string, port: number): Promise<Duplex> {
  const [toPod, fromPod] = [new PassThrough(), new PassThrough()];
  const forward = new PortForward(cluster.config);
  const rule = { group: "", resource: "pods/portforward", verb: "get, create" };
  const opened = await asking(cluster, rule, () =>
    forward.portForward(cluster.namespace, pod, [port], fromPod, null, toPod),
  );
  const socket = typeof opened === "function" ? opened() : opened;
  socket?.addEventListener("close", () => fromPod.end());
  socket?.addEventListener("error", () => fromPod.destroy(new Error("the port-forward broke")));
  const connection = Duplex.from({ readable: fromPod, writable: toPod }) as Duplex;
  connection.once("close", () => socket?.close());
  return connection;
}
