import { readFileSync } from "node:fs";
import { openVolume } from "../../shared/catalog/open-volume.ts";
import { DormouseError } from "../../shared/errors.ts";
import { jsonLog } from "../../shared/log.ts";
import { readConfig } from "../../shared/runtime/config.ts";
import { serve, startFunction } from "../../shared/runtime/serve.ts";
import { version } from "../../shared/version.ts";
import { refuseMisfits } from "../refuse-misfits.ts";
import { restoreConfig, type RestoreConfig } from "./config.ts";

const log = jsonLog(
  (line) => process.stdout.write(line),
  () => new Date(),
  { function: "restore" },
);

async function main(): Promise<void> {
  const config = readConfig(restoreConfig, process.env, (path) => readFileSync(path, "utf8"));
  refuseWithoutCluster(config);
  await openVolume(config.BACKUP_DIR);
  await refuseMisfits(config, log);
  const { PORT: port, SHUTDOWN_GRACE_SECONDS } = config;
  const entrance = { log, port, shutdownGraceMs: SHUTDOWN_GRACE_SECONDS * 1000, version };
  // Imported only now: connections are accepted while it loads.
  await serve(entrance, async () => {
    const { restoreService } = await import("./service.ts");
    return restoreService(config, { log, searchPath: process.env["PATH"] ?? "" });
  });
}

function refuseWithoutCluster({ APP_WORKLOADS, KUBECONFIG }: RestoreConfig): void {
  const isInCluster = process.env["KUBERNETES_SERVICE_HOST"] !== undefined || KUBECONFIG !== undefined;
  if (isInCluster || APP_WORKLOADS === undefined) return;
  throw new DormouseError(
    "configuration_invalid",
    "APP_WORKLOADS is set, but there is no cluster to stop them in",
    { hint: "unset it outside of Kubernetes, or name a cluster in KUBECONFIG" },
  );
}

void startFunction(log, main);
