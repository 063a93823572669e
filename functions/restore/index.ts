import { DormouseError } from "../../shared/errors.ts";
import { validateKeysAndBucket } from "../../shared/catalog/encryption/validate-keys-and-bucket.ts";
import { runFunction } from "../../shared/function/run-function.ts";
import { restoreConfig } from "./config.ts";
import { checkAuth } from "../../shared/config/auth-config.ts";

runFunction({
  name: "restore",
  schema: restoreConfig,
  async check(config, environment, log) {
    checkAuth(config);
    await validateKeysAndBucket(config, log);
    const { APP_WORKLOADS, KUBECONFIG, MAINTENANCE_DATABASE, POSTGRESQL_DATABASE } = config;
    if (MAINTENANCE_DATABASE === POSTGRESQL_DATABASE)
      throw new DormouseError(
        "configuration_invalid",
        `MAINTENANCE_DATABASE is ${JSON.stringify(MAINTENANCE_DATABASE)}, the database that is restored: no session can stay in it`,
        {
          hint: "CREATE DATABASE one that stays empty, and set MAINTENANCE_DATABASE to it for all functions",
        },
      );
    const isInCluster = environment["KUBERNETES_SERVICE_HOST"] !== undefined || KUBECONFIG !== undefined;
    if (isInCluster || APP_WORKLOADS === undefined) return;
    throw new DormouseError(
      "configuration_invalid",
      "APP_WORKLOADS is set, but there is no cluster to stop them in",
      { hint: "unset it outside of Kubernetes, or name a cluster in KUBECONFIG" },
    );
  },
  load: async (config, surroundings) => (await import("./service.ts")).restoreService(config, surroundings),
});
