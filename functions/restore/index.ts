import { DormouseError } from "../../shared/errors.ts";
import { validateKeysAndBucket } from "../../shared/catalog/encryption/validate-keys-and-bucket.ts";
import { runFunction } from "../../shared/function/run-function.ts";
import { restoreConfig, type RestoreConfig } from "./config.ts";
import { databaseChoice } from "../../shared/config/database-choice.ts";
import { checkAuth } from "../../shared/config/auth-config.ts";

/** A name that is mistaken would leave the application of a database running while that is restored. */
function refuseUnknown({ APP_WORKLOADS, ...config }: RestoreConfig): void {
  const { includes } = databaseChoice(config);
  const unknown = [...(APP_WORKLOADS?.byDatabase?.keys() ?? [])].filter((database) => !includes(database));
  if (unknown.length === 0) return;
  throw new DormouseError(
    "configuration_invalid",
    `APP_WORKLOADS names databases that are none of this installation: ${unknown.map((each) => JSON.stringify(each)).join(", ")}`,
    { hint: "compare it with POSTGRESQL_DATABASE or POSTGRESQL_DATABASES" },
  );
}

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
    refuseUnknown(config);
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
