import type { Duplex } from "node:stream";
import { Failure } from "../failure.ts";
import type { Output } from "../output.ts";
import type { GlobalOptions } from "../program.ts";
import type { Access } from "../session.ts";
import { openCluster, type Cluster } from "./cluster.ts";
import { RELAY_PORT, removeRelay, startRelay } from "./relay-pod.ts";
import { findSchedules } from "./schedules.ts";
import { findServices, type Found } from "./services.ts";
import { tokensOf } from "./token.ts";
import { tunnelTo } from "./tunnel.ts";

/** The functions of a namespace, which have no address outside of the cluster. */
export async function clusterAccess(
  options: GlobalOptions,
  output: Output,
  givenToken: (() => Promise<string>) | undefined,
): Promise<Access> {
  const cluster = openCluster(options);
  let found: ReturnType<typeof findServices> | undefined;
  const services = () => (found ??= findServices(cluster));
  const named = optionsOf(options, cluster);
  const token = givenToken ?? tokensOf(cluster, options.serviceAccount);
  const relay = relayFor(cluster, services, output);
  const stopRemoving = onSignals(relay.remove);
  return {
    async to(name) {
      const service = (await services()).get(name);
      if (service === undefined) throw missing(name, cluster.namespace);
      if (service.address.protocol === "https:") throw encrypted(service);
      return { base: service.address, token, connect: relay.connect, sleeps: true };
    },
    known: async () => [...(await services()).keys()],
    schedules: async () => findSchedules(cluster, await services()),
    async examine(folder) {
      const { examineCluster, examineFolder } = await import("../doctor/cluster-checks.ts");
      return folder === undefined ? examineCluster(cluster) : examineFolder(cluster, folder, named);
    },
    options: named.map((word) => ` ${word}`).join(""),
    async [Symbol.asyncDispose]() {
      stopRemoving();
      await relay.remove();
    },
  };
}

/**
 * One relay for all three: their addresses lead to the same ingress, which tells them apart by their Host. It starts when it is
 * first needed, and again when its time was over.
 */
function relayFor(cluster: Cluster, services: () => ReturnType<typeof findServices>, output: Output) {
  let pod: Promise<string> | undefined;
  const start = async () => {
    const found = await services();
    const owner = found.get("restore") ?? [...found.values()][0];
    if (owner === undefined) throw missing("restore", cluster.namespace);
    output.note(output.style("dim", `starting a relay in the namespace ${cluster.namespace}`));
    return startRelay(cluster, owner);
  };
  return {
    connect: async (): Promise<Duplex> => {
      const known = pod ?? (pod = start());
      try {
        return await tunnelTo(cluster, await known, RELAY_PORT);
      } catch (error) {
        if (pod === known) pod = undefined;
        await known.then((name) => removeRelay(cluster, name)).catch(() => undefined);
        throw error;
      }
    },
    remove: async (): Promise<void> => {
      const name = await pod?.catch(() => undefined);
      pod = undefined;
      if (name === undefined) return;
      try {
        await removeRelay(cluster, name);
      } catch (error) {
        // What was asked for is done all the same.
        if (!(error instanceof Failure)) throw error;
        output.complain(`the pod ${name} stays until its time is over: ${error.message}`);
        if (error.hint !== undefined) output.complain(error.hint);
      }
    },
  };
}

/** Ctrl-C, where nothing else has a say in it, removes the relay before the process ends. */
function onSignals(remove: () => Promise<void>): () => void {
  const end = (signal: NodeJS.Signals) => {
    if (process.listenerCount(signal) > 1) return;
    void remove().finally(() => process.exit(signal === "SIGINT" ? 130 : 143));
  };
  process.on("SIGINT", end).on("SIGTERM", end);
  return () => void process.off("SIGINT", end).off("SIGTERM", end);
}

/** As kubectl takes them as well. */
function optionsOf({ context, kubeconfig }: GlobalOptions, { namespace }: Cluster): readonly string[] {
  return [
    ["-n", namespace],
    ...(context === undefined ? [] : [["--context", context]]),
    ...(kubeconfig === undefined ? [] : [["--kubeconfig", kubeconfig]]),
  ].flat();
}

function missing(name: string, namespace: string): Failure {
  return new Failure(`the function ${name} is not in the namespace ${namespace}, or not ready`, {
    code: "not_installed",
    hint: `kubectl get services.serving.knative.dev -n ${namespace}; docs/knative.md installs it`,
  });
}

function encrypted({ name }: Found): Failure {
  return new Failure(`${name} is reached by TLS within the cluster, which the relay does not speak`, {
    code: "relay",
    hint: "forward a port to the ingress, and name the functions with --url",
  });
}
